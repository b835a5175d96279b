// Copies the text that a button names. Without this script the button stays hidden, and the text can be selected.
"use strict";

function reveal() {
  for (const button of document.querySelectorAll("button[data-copy][hidden]")) {
    button.hidden = false;
    button.setAttribute("aria-live", "polite");
  }
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  if (!source) return;
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Browsers give the clipboard to secure pages only: elsewhere select it, so that one key copies.
    source.closest("details")?.setAttribute("open", "");
    const range = document.createRange();
    range.selectNodeContents(source);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    if (!document.execCommand("copy")) return;
  }
  button.dataset.label ??= button.textContent;
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = button.dataset.label; }, 2000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) copy(button);
});
// What refreshes itself may bring new ones.
document.addEventListener("live:changed", reveal);
reveal();
