/* Keeps what a page shows up to date. The line #jc-look asks its own address for the page's live regions, by htmx: every
   few seconds while somebody is at the page, slower when nobody is, not at all while its tab is hidden. Each region of the
   answer is laid over the one that is there, node by node, so that focus, selection, scroll, open details and what was
   ticked or typed stay as they are; what is under the pointer or has the focus waits until it is left, and stays where it
   is on the screen though something above it grows. Where a page has parts that cost its server more than others, most
   looks are quick ones and leave those parts out. */
"use strict";
if (document.getElementById("jc-look")) {
  const line = document.getElementById("jc-look");
  const [said, button] = [line.querySelector("[role=status]"), line.querySelector("button")];
  const words = line.dataset;
  const IDLE_AFTER = 60_000;
  const LONGEST_WAIT = 60;
  const ROWS_LENGTH = 4000;
  const CONTROLS = "a, button, input, select, textarea, summary, label";
  /* A chart, a strip, the rows of a table: half of the old one and half of the new one would be a lie. */
  const WHOLE = "[data-live-whole]";
  const SAYS = `${CONTROLS}, [title], [tabindex], g`;
  /* Whoever wants pages to keep still wants it on each of them. */
  const STILL = "app_scheduler.still";

  /* What the server has sent is known, and what waits is asked for again, by part: “whole”, or “quick”. */
  const etags = new Map();
  const waiting = new Set();

  let timer = 0;
  let part = "whole";
  let wholeAt = performance.now();
  let failures = 0;
  let asking = false;
  let over = false;
  let still = remembered();
  let lookedAt = performance.now();
  let touchedAt = performance.now();

  function remembered() {
    try {
      return localStorage.getItem(STILL) === "1";
    } catch {
      return false;
    }
  }

  function remember() {
    try {
      localStorage.setItem(STILL, still ? "1" : "0");
    } catch {
      // It then holds for this page.
    }
  }

  /* Nothing of an answer is run, and the styles and the history of htmx are of no use here. Read before it begins. */
  Object.assign(htmx.config, {
    allowEval: false,
    allowScriptTags: false,
    includeIndicatorStyles: false,
    historyEnabled: false,
    timeout: 20_000,
    responseHandling: [
      { code: "200", swap: true },
      { code: "304", swap: false },
      { code: "...", swap: false, error: true },
    ],
  });

  /* --- when to look ------------------------------------------------------------------------------------------------- */

  const isIdle = () => performance.now() - touchedAt > IDLE_AFTER;

  function later() {
    clearTimeout(timer);
    if (over || still || document.hidden) return;
    let wait = Number(isIdle() ? words.idleSeconds : words.seconds);
    if (failures) wait = Math.min(LONGEST_WAIT, wait * 2 ** failures);
    timer = setTimeout(look, wait * 1000);
  }

  function look() {
    clearTimeout(timer);
    if (over || still || asking || document.hidden) return;
    asking = true;
    lookedAt = performance.now();
    htmx.trigger(line, "look");
  }

  function touched() {
    const wasIdle = isIdle();
    touchedAt = performance.now();
    if (!wasIdle) return;
    if (performance.now() - lookedAt > words.seconds * 1000) look();
    else later();
  }

  /* --- what it says --------------------------------------------------------------------------------------------------- */

  function say(text) {
    if (said.textContent !== text) said.textContent = text;
  }

  function show() {
    say(still ? words.stopped : words.live);
    button.textContent = still ? words.go : words.stop;
    button.hidden = over;
  }

  function end(text, link) {
    over = true;
    button.hidden = true;
    say(text);
    if (link) line.querySelector("a").textContent = link;
    later();
  }

  /* --- one look --------------------------------------------------------------------------------------------------------- */

  const rows = () => document.querySelectorAll("tr[id^='jc-row-']");

  function rowsInSight() {
    let named = "";
    for (const row of rows()) {
      const { top, bottom } = row.getBoundingClientRect();
      if (bottom < -200 || top > innerHeight + 200) continue;
      const name = encodeURIComponent(row.id.slice("jc-row-".length));
      if (named.length + name.length > ROWS_LENGTH) break;
      named += (named && ",") + name;
    }
    return named;
  }

  line.addEventListener("htmx:configRequest", ({ detail }) => {
    part = words.wholeSeconds && performance.now() - wholeAt < words.wholeSeconds * 1000 ? "quick" : "whole";
    if (etags.get(part) && !waiting.has(part)) detail.headers["If-None-Match"] = etags.get(part);
    if (words.wholeSeconds) detail.headers["Live-Part"] = part;
    detail.headers["Live-Rows"] = rowsInSight();
    if (line.dataset.seen) detail.headers["Live-Seen"] = line.dataset.seen;
    waiting.delete(part);
  });

  /* A login page is never put into a page: an answer to a look says that it is one. */
  line.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.detail.xhr.getResponseHeader("Live")) event.detail.shouldSwap = false;
    else if (event.detail.shouldSwap) hold();
  });

  line.addEventListener("htmx:afterRequest", ({ detail: { xhr } }) => {
    asking = false;
    keepInPlace();
    const mark = xhr.status ? xhr.getResponseHeader("Live") : null;
    if (mark) {
      failures = 0;
      etags.set(part, xhr.getResponseHeader("ETag") ?? "");
      if (part === "whole") wholeAt = performance.now();
      line.classList.remove("is-away");
      if (mark === "done" && !waiting.has(part)) return end(document.querySelector("[data-live-say]")?.textContent ?? "");
      show();
    } else if (xhr.status >= 200 && xhr.status < 300) {
      return end(words.ended, words.logIn);
    } else if (xhr.status === 403 || xhr.status === 404) {
      return end(words.refused);
    } else {
      failures += 1;
      line.classList.add("is-away");
      say(words.away);
    }
    later();
  });

  /* --- putting a region in its place -------------------------------------------------------------------------------------- */

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    event.detail.shouldSwap = false;
    if (target.hasAttribute("data-live-theirs")) return;
    if (held && target.localName !== "tr") held.heights.set(target, target.offsetHeight);
    const tails = [...target.querySelectorAll("[data-live-tail]")].filter(
      (each) => each.scrollHeight > each.clientHeight && each.scrollTop + each.clientHeight >= each.scrollHeight - 4,
    );
    lay(target, fragment.firstElementChild);
    for (const tail of tails) tail.scrollTop = tail.scrollHeight;
    document.dispatchEvent(new CustomEvent("live:changed", { detail: target }));
  });

  /* What somebody is about to press, is typing in or has marked does not change under his hand. */
  function isInHand(node) {
    const selection = getSelection();
    if (selection && !selection.isCollapsed && selection.containsNode(node, true)) return true;
    if (node.nodeType !== Node.ELEMENT_NODE) return false;
    const names = node.matches(WHOLE) ? SAYS : CONTROLS;
    return [node, ...node.querySelectorAll(names)].some(
      (each) => each.matches(names) && (each.matches(":hover") || each === document.activeElement),
    );
  }

  /* A table of values that somebody has opened is read from top to bottom. */
  const isRead = (node) => node.localName === "details" && node.open && node.hasAttribute("data-live-hold");

  function lay(there, fresh) {
    if (there.isEqualNode(fresh)) return;
    const isSame = there.nodeName === fresh.nodeName && (there.id ?? "") === (fresh.id ?? "");
    const isWhole = there.nodeType !== Node.ELEMENT_NODE || !isSame || there.matches(`td, th, ${WHOLE}, ${CONTROLS}`);
    if ((isWhole && isInHand(there)) || isRead(there)) {
      waiting.add(part);
      return;
    }
    if (!isSame) {
      there.replaceWith(fresh.cloneNode(true));
    } else if (there.nodeType !== Node.ELEMENT_NODE) {
      there.data = fresh.data;
    } else {
      layAttributes(there, fresh);
      layChildren(there, fresh);
    }
  }

  /* What belongs to whoever uses the page, and not to the server. */
  const isTheirs = (element, name) =>
    (name === "class" && element.localName === "tr") ||
    (name === "open" && element.localName === "details") ||
    element.hasAttribute("data-copy") ||
    element.matches("input, select, textarea");

  function layAttributes(there, fresh) {
    for (const { name, value } of fresh.attributes) {
      if (there.getAttribute(name) !== value && !isTheirs(there, name)) there.setAttribute(name, value);
    }
    for (const { name } of [...there.attributes]) {
      if (!fresh.hasAttribute(name) && !isTheirs(there, name)) there.removeAttribute(name);
    }
  }

  function layChildren(there, fresh) {
    const [old, made] = [[...there.childNodes], [...fresh.childNodes]];
    for (let i = 0; i < Math.max(old.length, made.length); i++) {
      if (i >= old.length) there.append(made[i].cloneNode(true));
      else if (i < made.length) lay(old[i], made[i]);
      else if (isInHand(old[i])) waiting.add(part);
      else old[i].remove();
    }
  }

  /* --- staying where one is ----------------------------------------------------------------------------------------------- */

  let pointer = null;
  let held = null;

  /* What is under the pointer, or has the focus, and where it is. */
  function hold() {
    const under = pointer && document.elementFromPoint(...pointer);
    const node = under?.closest("#content") ? under : document.activeElement;
    held = node && node !== document.body ? { node, top: node.getBoundingClientRect().top, heights: new Map() } : null;
    // Else the browser and this script would both make up for the same.
    document.documentElement.style.overflowAnchor = "none";
  }

  function keepInPlace() {
    if (!held) return;
    const { node, top, heights } = held;
    const moved = () => Math.round(node.getBoundingClientRect().top - top);
    held = null;
    if (node.isConnected && moved()) scrollBy({ top: moved(), behavior: "instant" });
    // Nothing is above the first line of a page that could be scrolled in, so what has shrunk keeps its room for now.
    for (const [region, height] of heights) {
      if (!node.isConnected || moved() >= 0) break;
      if (region.contains(node) || region.offsetHeight >= height) continue;
      region.style.minHeight = `${height}px`;
      waiting.add(part);
    }
    requestAnimationFrame(() => document.documentElement.style.removeProperty("overflow-anchor"));
  }

  /* --- it begins ---------------------------------------------------------------------------------------------------------------- */

  for (const mark of document.querySelectorAll("[data-row]")) {
    const row = mark.closest("tr");
    if (row) row.id = `jc-row-${mark.dataset.row}`;
  }
  button.addEventListener("click", () => {
    still = !still;
    remember();
    show();
    if (still) later();
    else look();
  });
  for (const name of ["pointermove", "pointerdown", "keydown", "scroll"]) {
    addEventListener(name, touched, { passive: true, capture: true });
  }
  addEventListener("pointermove", (event) => (pointer = [event.clientX, event.clientY]), { passive: true });
  document.documentElement.addEventListener("pointerleave", () => (pointer = null));
  document.addEventListener("visibilitychange", () => (document.hidden ? later() : look()));
  addEventListener("pageshow", (event) => event.persisted && look());
  show();
  later();
}
