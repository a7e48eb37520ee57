// What only the service's own pages do: send a label, and follow a rollout while it runs.
"use strict";
(() => {
  const form = document.querySelector("form.label");
  if (form) {
    const said = form.querySelector(".said");
    const send = form.querySelector("[type=submit]");
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const given = Object.fromEntries(new FormData(form));
      send.disabled = true;
      said.textContent = "Sending …";
      try {
        const answer = await fetch(form.dataset.url, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(given),
        });
        const document_ = await answer.json();
        if (answer.ok) {
          list(document_.labels);
          form.reset();
          said.textContent = `Kept: ${document_.labels[0].label}, says ${document_.labels[0].by}.`;
        } else {
          const faults = (document_.faults || [document_]).map((one) => (one.path ? `${one.path}: ` : "") + one.error);
          said.textContent = `Not kept: ${faults.join("; ")}`;
        }
      } catch (error) {
        said.textContent = `Not kept: the judge did not answer (${error.message}). Try again.`;
      } finally {
        send.disabled = false;
      }
    });
  }

  function list(labels) {
    const lines = labels.map((label, index) => {
      const line = document.createElement("li");
      const word = document.createElement("strong");
      word.textContent = label.label;
      const when = document.createElement("span");
      when.className = "small quiet";
      when.textContent = ` ${label.at.replace("T", " ").replace("Z", " UTC")}`;
      line.append(word);
      if (index === 0 && labels.length > 1) {
        const badge = document.createElement("span");
        badge.className = "badge";
        badge.textContent = "counts";
        line.append(" ", badge);
      }
      line.append(`, says ${label.by}${label.why ? `: ${label.why}` : ""}`, when);
      return line;
    });
    document.querySelector(".label-list").replaceChildren(...lines);
    document.querySelector(".no-label").hidden = labels.length > 0;
  }

  const main = document.querySelector("main[data-live]");
  const live = document.querySelector(".live");
  if (main && live) {
    const every = Number(main.dataset.live) * 1000;
    let tag = "";
    let plain = main.innerHTML;
    let calm = "Updates by itself";
    const now = () => new Date().toISOString().slice(11, 19);
    live.hidden = false;
    live.textContent = calm;
    const look = async () => {
      // Nobody looks, or somebody fills in a filter: nothing changes under their hands.
      if (document.hidden || main.querySelector("form:focus-within")) return;
      try {
        const answer = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html", ...(tag ? { "If-None-Match": tag } : {}) } });
        if (answer.status === 304) {
          live.textContent = calm;
          return;
        }
        if (!answer.ok) throw new Error(`it answered ${answer.status}`);
        tag = answer.headers.get("ETag") || "";
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        const found = fresh.querySelector("main").innerHTML;
        if (found === plain) return;
        plain = found;
        main.replaceChildren(...fresh.querySelector("main").childNodes);
        document.title = fresh.title;
        calm = `Changed at ${now()} UTC`;
        live.textContent = calm;
      } catch (error) {
        live.textContent = `Not up to date since ${now()} UTC: the judge did not answer (${error.message})`;
      }
    };
    setInterval(look, every);
    document.addEventListener("visibilitychange", look);
  }
})();
