/* The form of a job, while it is being filled in: fetches the parts of the page that the server renders.
   Everything here has a button that does the same without scripts; those buttons are hidden where this runs. */
"use strict";
{
  const form = document.getElementById("job-form");
  const panel = document.getElementById("jc-preview");
  const DELAY = 250;

  const builder = form.querySelector(".jc-build");
  const input = (name) => form.elements.namedItem(name);

  for (const element of form.querySelectorAll("[data-without-script]")) {
    element.hidden = true;
  }
  for (const element of form.querySelectorAll("[data-when-live]")) {
    element.hidden = false;
  }

  /* Post to a fragment's address; resolve to its HTML, or to null where there is none to show. */
  async function fetchFragment(url, data, signal) {
    try {
      const response = await fetch(url, { method: "POST", body: data, signal, credentials: "same-origin" });
      return response.ok && !response.redirected ? await response.text() : null;
    } catch (error) {
      return null; // a newer request took its place, or the network is gone: what is shown stays
    }
  }

  /* Only what the schedule is made of: secrets stay where they are. */
  function scheduleData() {
    const data = new FormData();
    for (const [name, value] of new FormData(form)) {
      if (/^(trigger|interval|cron|date|calendar|any)_|^(expression|_job|csrfmiddlewaretoken)$/.test(name)) {
        data.append(name, value);
      }
    }
    return data;
  }

  let timer = null;
  let running = null;

  async function refresh(more) {
    running?.abort();
    running = new AbortController();
    const data = scheduleData();
    if (more) {
      data.append("_more", "1");
    }
    const html = await fetchFragment(form.dataset.previewUrl, data, running.signal);
    if (html !== null) {
      show(html);
    }
  }

  function show(html) {
    if (panel.innerHTML !== html) {
      panel.innerHTML = html;
    }
    for (const button of panel.querySelectorAll("[data-more]")) {
      button.hidden = false;
    }
  }

  function refreshSoon() {
    clearTimeout(timer);
    timer = setTimeout(refresh, DELAY);
  }

  builder.addEventListener("input", refreshSoon);
  builder.addEventListener("change", refreshSoon);
  show(panel.innerHTML);

  panel.addEventListener("click", (event) => {
    if (event.target.closest("[data-more]")) {
      event.preventDefault();
      refresh(true);
    }
  });

  /* A schedule to start from: its fields are in the button's attributes. */
  function fill(button) {
    for (const field of builder.querySelectorAll("input:not([type=radio]), textarea")) {
      if (field.name !== "trigger_timezone") {
        field.value = "";
      }
    }
    for (const { name, value } of button.attributes) {
      const target = name.startsWith("data-set-") ? input(name.slice("data-set-".length)) : null;
      if (target) {
        target.value = value;
      }
    }
  }

  for (const button of form.querySelectorAll("button[name=_pick]")) {
    button.addEventListener("click", (event) => {
      event.preventDefault();
      fill(button);
      refresh();
    });
  }

  /* The arguments of the chosen function. What was typed under the same names is kept by the server. */
  async function loadArguments() {
    const html = await fetchFragment(form.dataset.argumentsUrl, new FormData(form));
    const current = document.getElementById("jc-arguments");
    if (html !== null && current) {
      current.outerHTML = html;
      suggest();
    }
  }

  function suggest() {
    const shown = document.getElementById("jc-arguments");
    const name = input("name");
    const id = input("id");
    name.placeholder = shown?.dataset.name ?? "";
    if (id) {
      id.placeholder = slug(name.value) || (shown?.dataset.id ?? "");
    }
  }

  /* As the server makes it; a name in another script gets its id there. */
  function slug(text) {
    const plain = text.normalize("NFKD").replace(/[^\x00-\x7f]/g, "").toLowerCase();
    return plain.replace(/[^\w\s-]/g, "").trim().replace(/[-\s]+/g, "-").replace(/^[-_]+|[-_]+$/g, "");
  }

  input("function").addEventListener("change", loadArguments);
  input("name").addEventListener("input", suggest);
  suggest();
}
