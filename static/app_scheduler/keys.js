/* The keys of a page: they move the focus, and Enter does what it does everywhere. So a screen reader says where one is, and
   no slip of a finger runs a job. A dialog tells them, and can switch them off for who speaks to the computer. */
"use strict";
{
  const dialog = document.getElementById("jc-keys");
  const show = document.getElementById("jc-keys-show");
  const on = document.getElementById("jc-keys-on");
  const OFF = "app_scheduler.keys.off";
  const ROWS = "#result_list tbody tr";
  const OPENS = ".field-due a, a.jc-name";

  try {
    on.checked = localStorage.getItem(OFF) !== "1";
  } catch {
    // They are on, on each page anew.
  }
  on.addEventListener("change", () => {
    try {
      localStorage.setItem(OFF, on.checked ? "0" : "1");
    } catch {
      // It then holds for this page.
    }
  });

  const isTyping = (element) =>
    element.isContentEditable ||
    element.matches("textarea, select, input:not([type=checkbox], [type=submit], [type=button], [type=reset])");

  const rowOfFocus = () => document.activeElement?.closest(ROWS);

  function step(by) {
    const rows = [...document.querySelectorAll(ROWS)].filter((row) => row.querySelector(OPENS));
    if (!rows.length) return false;
    const at = rows.indexOf(rowOfFocus());
    const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by));
    rows[next].querySelector(OPENS).focus();
    rows[next].scrollIntoView({ block: "nearest" });
    return true;
  }

  function follow(selector) {
    const link = document.querySelector(selector);
    link?.click();
    return Boolean(link);
  }

  function reach(scope, selector) {
    const control = scope?.querySelector(selector);
    control?.focus();
    return Boolean(control);
  }

  const keys = {
    "/": () => reach(document, "#searchbar"),
    "?": () => dialog.showModal() ?? true,
    j: () => step(1) || follow(".jc-tools a[rel=next]"),
    k: () => step(-1) || follow(".jc-tools a[rel=prev]"),
    r: () =>
      reach(rowOfFocus(), "[formaction*='/run/']") ||
      reach(document, ".jc-tools [formaction*='/retry/'], .jc-state-acts [formaction*='/run/']"),
    p: () =>
      reach(rowOfFocus(), "[formaction*='/pause/'], [formaction*='/resume/']") ||
      reach(document, ".jc-state-acts a[href*='/pause/'], .jc-state-acts [formaction*='/resume/']"),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
    if (dialog.open || isTyping(event.target) || !Object.hasOwn(keys, event.key)) return;
    if (!on.checked && event.key !== "?") return;
    if (keys[event.key]()) event.preventDefault();
  });
  show.hidden = false;
  show.addEventListener("click", () => dialog.showModal());
}
