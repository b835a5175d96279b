// The keys of strips and charts: the arrows, Home and End lead from bar to bar, Escape takes the words away.
// Without this script the Tab key reaches the latest bar of each, and the pointer all of them.
"use strict";

document.addEventListener("keydown", (event) => {
  const strip = event.target.closest?.("[data-strip]");
  if (!strip || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.key === "Escape") {
    strip.dataset.quiet = "";
    return;
  }
  const bars = [...strip.querySelectorAll("a")];
  const here = bars.indexOf(event.target);
  const there = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: bars.length - 1 }[event.key];
  if (there === undefined) return;
  event.preventDefault();
  delete strip.dataset.quiet;
  bars[Math.max(0, Math.min(there, bars.length - 1))].focus();
});

// Where one has been is where the Tab key comes back to.
document.addEventListener("focusin", (event) => {
  const strip = event.target.closest?.("[data-strip]");
  if (!strip || event.target.localName !== "a") return;
  for (const bar of strip.querySelectorAll("a:not([tabindex])")) bar.setAttribute("tabindex", "-1");
  event.target.removeAttribute("tabindex");
  tell(strip, event.target);
});

document.addEventListener("focusout", (event) => {
  const strip = event.target.closest?.("[data-strip]");
  if (strip) delete strip.dataset.quiet;
});

document.addEventListener("pointerover", (event) => {
  const strip = event.target.closest?.("[data-strip]");
  if (strip) tell(strip, event.target.closest("a"));
});

// A chart has a line below it for the words of the bar that one points at.
function tell(strip, bar) {
  const line = strip.dataset.says && document.getElementById(strip.dataset.says);
  if (line && bar) line.textContent = bar.getAttribute("aria-label");
}
