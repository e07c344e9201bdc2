// Keeps a page up to date and sends its forms without a reload. Every page works without it.
"use strict";
(() => {
  const body = document.body;
  const path = body.dataset.stream;
  const live = document.getElementById("live");
  const answer = document.getElementById("answer");
  let heard = body.dataset.after || "0";
  let source = null;

  const say = (text) => { if (live) live.textContent = text; };

  // One part of the page in place of the one before it; a new entry goes to the top of its list.
  const put = ([id, html]) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    const element = template.content.firstElementChild;
    const before = document.getElementById(id);
    if (before) {
      const active = document.activeElement;
      const focused = before.contains(active) ? active.id : "";
      const field = focused && active.matches("input") ? active.value : null;
      before.replaceWith(element);
      const again = focused && document.getElementById(focused);
      if (again) {
        if (field !== null) again.value = field;
        again.focus();
      }
      return;
    }
    const list = document.getElementById(id.replace(/-[0-9]+$/, ""));
    if (list && list.tagName === "OL") list.prepend(element);
  };

  const open = () => {
    if (!path || source) return;
    source = new EventSource(`${path}?after=${heard}`);
    source.addEventListener("open", () => say("Live"));
    source.addEventListener("parts", (event) => {
      JSON.parse(event.data).forEach(put);
      heard = event.lastEventId;
    });
    source.addEventListener("end", () => { close(); path && say("This has ended."); });
    source.addEventListener("error", (event) => {
      if (event.data) { close(); say("Not live any more. Reload the page."); return; }
      say("The connection is lost; trying again.");
    });
  };
  const close = () => { if (source) source.close(); source = null; };

  // A browser opens six connections to one server: hidden tabs leave theirs to the visible ones.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", () => { if (!document.hidden) open(); });
  if (!document.hidden) open();

  // Forms are sent here, so that what is being read stays where it is. Those with data-plain go the plain way, always.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!path || form.hasAttribute("data-plain")) return;
    event.preventDefault();
    const fields = new URLSearchParams(new FormData(form));
    if (event.submitter && event.submitter.name) fields.append(event.submitter.name, event.submitter.value);
    if (answer) answer.textContent = "";
    try {
      const response = await fetch(form.action, { method: "POST", body: fields, redirect: "manual" });
      if (response.type === "opaqueredirect" || response.ok) {
        form.reset();
        if (!source) location.reload();
        return;
      }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const said = [...page.querySelectorAll("main h1, main .refusal, main .refusal + p")].map((it) => it.textContent);
      if (answer) answer.textContent = said.join(" ") || `Not done (${response.status}).`;
    } catch {
      if (answer) answer.textContent = "Not sent: the connection is lost. Say it aloud, and try again.";
    }
  });
})();
