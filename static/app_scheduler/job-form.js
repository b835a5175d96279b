/* The form of a job, while it is being filled in: the inputs for the arguments of the chosen function, and the name and
   id that it gets where none is given. What has a button that does the same without scripts is hidden here. */
"use strict";
{
  const form = document.getElementById("job-form");
  const input = (name) => form.elements.namedItem(name);

  for (const element of form.querySelectorAll("[data-without-script]")) {
    element.hidden = true;
  }

  /* The arguments of the chosen function. What was typed under the same names is kept by the server. */
  let asked = 0;

  async function loadArguments() {
    const number = ++asked;
    try {
      const response = await fetch(form.dataset.argumentsUrl, { method: "POST", body: new FormData(form) });
      const html = response.ok && !response.redirected ? await response.text() : null;
      const current = document.getElementById("jc-arguments");
      if (html !== null && current && number === asked) {
        current.outerHTML = html;
        suggest();
      }
    } catch (error) {
      // The network is gone: what is shown stays, and saving says what is missing.
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
