/* The builder of a schedule. It posts what was typed to one address, and puts the parts of the answer in their places:
   the panel, the line at the top or the fields below it, and the errors beside the inputs. All that is known about
   schedules is known by the server. Each act here is a button that does the same without scripts. */
"use strict";
{
  const form = document.getElementById("job-form");
  const build = form.querySelector(".jc-build");
  const panel = document.getElementById("jc-preview");
  const brief = document.getElementById("jc-brief");
  const filled = document.getElementById("jc-filled");
  const several = document.getElementById("jc-several");
  const line = form.elements.namedItem("expression");
  const DELAY = 250;
  /* A screen reader hears what came out when the typing has come to rest. */
  const QUIET = 1000;
  const LINE = /^\s*(@[a-z]+|(?:\S+[ \t]+){4}\S+|(?:every|at|cron|calendar)\s+\S+)|\n/i;

  for (const element of form.querySelectorAll("[data-when-live]")) {
    element.hidden = false;
  }

  /* Only what the schedule is made of: secrets stay where they are. Of the line and the fields, what was typed counts. */
  function scheduleData(typed) {
    const data = new FormData();
    for (const [name, value] of new FormData(form)) {
      const isField = /^(trigger|interval|cron|date|calendar|any)_/.test(name);
      if (/^(_job|csrfmiddlewaretoken)$/.test(name) || (typed === line ? name === "expression" : isField)) {
        data.append(name, value);
      }
    }
    return data;
  }

  let timer = null;
  let quiet = null;
  let running = null;

  /* Ask the server what `data` means. A newer question takes the place of one that is not answered yet. */
  async function ask(data, { typed = null, act = false } = {}) {
    clearTimeout(timer);
    running?.abort();
    const own = (running = new AbortController());
    form.dataset.asking = "1";
    let html = null;
    try {
      const response = await fetch(build.dataset.url, { method: "POST", body: data, signal: own.signal });
      html = response.ok && !response.redirected ? await response.text() : null;
    } catch (error) {
      // A newer question took its place, or the network is gone: what is shown stays.
    }
    if (own !== running) {
      return null;
    }
    delete form.dataset.asking;
    if (html === null) {
      return null;
    }
    const answer = document.createElement("template");
    answer.innerHTML = html;
    const part = (name) => answer.content.querySelector(`[data-part="${name}"]`);
    const fills = "fills" in part("filled").dataset;
    showInputs(part("inputs"), fills, typed);
    showRows(part("rows"), fills);
    showFaults(part("faults"), typed);
    if (act) {
      filled.replaceChildren(...part("filled").childNodes);
      document.getElementById(part("filled").dataset.focus)?.focus();
    }
    // What was typed means something else than what is stored, which the page would show again as it refreshes itself.
    panel.dataset.liveTheirs = "";
    replace(panel, part("panel"));
    announce(part("brief").textContent);
    return fills;
  }

  function replace(target, source) {
    if (target.innerHTML !== source.innerHTML) {
      const inside = target.contains(document.activeElement);
      target.replaceChildren(...source.childNodes);
      if (inside) {
        target.querySelector("[tabindex]")?.focus();
      }
    }
  }

  function announce(text) {
    clearTimeout(quiet);
    quiet = setTimeout(() => {
      if (brief.textContent !== text) {
        brief.textContent = text;
      }
    }, QUIET);
  }

  /* After typing in a field, the line follows; after typing in the line or filling in, the fields do. */
  function showInputs(inputs, fills, typed) {
    for (const { dataset, value } of inputs.children) {
      const target = form.elements.namedItem(dataset.name);
      if (!target || dataset.name === "any_expressions") {
        continue;
      }
      if (dataset.placeholder) {
        target.placeholder = dataset.placeholder;
      } else if (dataset.name.startsWith("cron_")) {
        target.removeAttribute("placeholder");
      }
      const follows = dataset.name === "expression" || dataset.name === "expression_was";
      if ((fills || (follows && typed !== line)) && target !== typed && target.value !== value) {
        target.value = value; // of the radio buttons, this chooses one
      }
    }
  }

  function showRows(rows, fills) {
    if (fills || rows.children.length !== several.children.length) {
      several.replaceChildren(...rows.childNodes);
      return;
    }
    // Somebody may be typing here: only what is said of each is new.
    [...rows.children].forEach((row, index) => {
      const shown = several.children[index];
      shown.className = row.className;
      shown.querySelector(".jc-row-says").innerHTML = row.querySelector(".jc-row-says").innerHTML;
      mark(shown.querySelector("input"), row.querySelector("input").hasAttribute("aria-invalid"));
    });
  }

  function mark(target, isInvalid) {
    if (isInvalid) {
      target.setAttribute("aria-invalid", "true");
    } else {
      target.removeAttribute("aria-invalid");
    }
  }

  /* Beside each input, as the server puts them there when the page is loaded. */
  function showFaults(faults) {
    for (const old of build.querySelectorAll(":scope > .errorlist, .jc-kind > .errorlist, .jc-field > .errorlist")) {
      old.remove();
    }
    for (const field of build.querySelectorAll(".jc-field:not(li)")) {
      const target = field.querySelector("input, textarea, select");
      const fault = faults.querySelector(`[data-name="${target.name}"]`);
      field.classList.toggle("errors", fault !== null);
      mark(target, fault !== null);
      const hints = [`${target.id}_helptext`, `${target.id}_error`];
      field.append(...(fault ? fault.childNodes : []));
      const described = hints.filter((id) => document.getElementById(id));
      if (described.length) {
        target.setAttribute("aria-describedby", described.join(" "));
      } else {
        target.removeAttribute("aria-describedby");
      }
    }
  }

  function refresh(typed) {
    const byLine = typed === line && line.value.trim() !== "";
    return ask(scheduleData(byLine ? line : null), { typed });
  }

  let pasting = false;

  build.addEventListener("input", (event) => {
    if (pasting) {
      pasting = false;
      return;
    }
    clearTimeout(timer);
    timer = setTimeout(refresh, DELAY, event.target);
  });

  /* A line of a crontab fills the form in; anything else is text like any other. */
  build.addEventListener("paste", (event) => {
    const text = event.clipboardData?.getData("text") ?? "";
    if (event.target.name && LINE.test(text)) {
      pasting = true;
      act({ _pasted: text, _into: event.target.name }).then((fills) => {
        pasting = false;
        if (!fills) {
          refresh(event.target);
        }
      });
    }
  });

  /* One typed by hand into a field for a part of it counts when that field is left. */
  build.addEventListener("change", (event) => {
    const { type, name, value } = event.target;
    if (type === "radio") {
      const isNew = value === "any" && [...several.querySelectorAll("input")].every((row) => !row.value.trim());
      if (isNew && form.elements.namedItem("expression_was").value) {
        act({ _add: "1" });
      } else {
        refresh(event.target);
      }
    } else if (!/expression/.test(name) && /^\s*(@[a-z]+|(?:\S+\s+){4})/i.test(value)) {
      act({ _pasted: value, _into: name });
    }
  });

  function act(extra) {
    const data = scheduleData(null);
    data.append("expression_was", form.elements.namedItem("expression_was").value);
    for (const [name, value] of Object.entries(extra)) {
      data.append(name, value);
    }
    return ask(data, { act: true });
  }

  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name]");
    if (!button || !/^_(pick|use|add|remove|undo|more)$/.test(button.name)) {
      return;
    }
    event.preventDefault();
    if (button.name === "_more") {
      const data = scheduleData(null);
      data.append("_more", "1");
      ask(data);
    } else {
      act({ [button.name]: button.value });
    }
  });
}
