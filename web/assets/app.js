// Liveness. The server renders; this swaps what has changed, counts seconds and announces news.
"use strict";

const live = document.getElementById("live");
const fragment = document.body.dataset.fragment;

// ---- counting ------------------------------------------------------------------------------------------

/** When an element's seconds were true, by performance.now(). */
const since = new WeakMap();

const two = (n) => String(n).padStart(2, "0");
const pair = (big, unit, small, smallUnit) => (small ? `${big}${unit}${small}${smallUnit}` : `${big}${unit}`);

function age(s) {
  const [m, h, d] = [Math.floor(s / 60), Math.floor(s / 3600), Math.floor(s / 86400)];
  if (s < 120) return `${s}s`;
  if (m < 10) return pair(m, "m", s % 60, "s");
  if (h < 3) return `${m}m`;
  if (h < 8) return pair(h, "h", m % 60, "m");
  if (h < 48) return `${h}h`;
  if (d < 8) return pair(d, "d", h % 24, "h");
  return `${d}d`;
}

function watch(s) {
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

const forms = {
  age: (s, passed) => age(Math.max(0, s + passed)),
  watch: (s, passed) => watch(Math.max(0, s + passed)),
  down: (s, passed) => (s - passed > 0 ? `${s - passed} s` : "a moment"),
  time: (s, passed) => new Date((s + passed) * 1000).toISOString().slice(0, 19).replace("T", " "),
};

function tick() {
  const now = performance.now();
  for (const element of document.querySelectorAll("[data-tick]")) {
    if (!since.has(element)) since.set(element, now);
    const passed = Math.floor((now - since.get(element)) / 1000);
    const text = forms[element.dataset.tick]?.(Number(element.dataset.seconds), passed);
    if (text !== undefined && element.textContent !== text) element.textContent = text;
  }
}
setInterval(tick, 250);

// ---- swapping ------------------------------------------------------------------------------------------

/** What the server last said for each part. */
const said = new Map();

function keep(old, fresh) {
  for (const details of old.querySelectorAll("details[open][id]")) {
    const twin = fresh.querySelector(`#${CSS.escape(details.id)}`);
    if (twin) twin.open = true;
  }
  for (const input of old.querySelectorAll("input[type=radio]:checked")) {
    const twin = fresh.querySelector(`#${CSS.escape(input.id)}`);
    if (twin) twin.checked = true;
  }
  const rows = new Set([...old.querySelectorAll("[data-row]")].map((row) => row.dataset.row));
  for (const row of fresh.querySelectorAll("[data-row]")) {
    if (!rows.has(row.dataset.row)) row.classList.add("is-new");
  }
}

function news(old, fresh) {
  const words = [];
  for (const drill of fresh.querySelectorAll("[data-drill]")) {
    const before = old.querySelector(`[data-drill="${CSS.escape(drill.dataset.drill)}"]`);
    if (before && before.dataset.state !== drill.dataset.state) {
      drill.classList.add("just-changed");
      words.push(`${drill.dataset.label}: ${drill.dataset.words}.`);
    }
  }
  for (const check of fresh.querySelectorAll("[data-check]")) {
    const before = old.querySelector(`[data-check="${CSS.escape(check.dataset.check)}"]`);
    if (before && before.dataset.passed !== check.dataset.passed) {
      words.push(`${check.dataset.title}: ${check.dataset.passed === "true" ? "passed" : "open again"}.`);
    }
  }
  return words.join(" ");
}

function swap(html) {
  const fresh = document.createElement("div");
  fresh.append(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
  const text = news(live, fresh);
  if (text) document.getElementById("news").textContent = text;

  const focused = document.activeElement?.id;
  const parts = [...fresh.querySelectorAll("[data-part]")];
  const ids = (root) => [...root.querySelectorAll("[data-part]")].map((part) => part.id).join();
  if (ids(fresh) !== ids(live)) {
    keep(live, fresh);
    for (const part of parts) said.set(part.id, part.outerHTML);
    live.replaceChildren(...fresh.childNodes);
  } else {
    for (const part of parts) {
      const html = part.outerHTML;
      if (said.get(part.id) === html) continue;
      said.set(part.id, html);
      const old = document.getElementById(part.id);
      const scrolls = [...old.querySelectorAll(".scroll, .feed")].map((box) => [box.scrollLeft, box.scrollTop]);
      keep(old, part);
      old.replaceWith(part);
      [...part.querySelectorAll(".scroll, .feed")].forEach((box, n) => {
        [box.scrollLeft, box.scrollTop] = scrolls[n] ?? [0, 0];
      });
    }
  }
  offerCopies(live);
  if (focused && document.activeElement?.id !== focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
  tick();
}

let asking = false;
let again = false;

async function refresh() {
  if (asking) { again = true; return; }
  asking = true;
  do {
    again = false;
    try {
      const answer = await fetch(fragment, { headers: { accept: "text/html" } });
      if (answer.ok) swap(await answer.text());
      else if (answer.status === 404) location.assign("/");
    } catch { /* the stream will say when the lab is back */ }
  } while (again);
  asking = false;
}

function link(state, words) {
  const element = document.getElementById("link");
  if (element.dataset.state === state) return;
  element.dataset.state = state;
  element.querySelector("span").textContent = words;
}

if (live && fragment && "EventSource" in window) {
  let reconnect;
  const connect = () => {
    const stream = new EventSource("/events");
    stream.addEventListener("open", () => link("on", "live"));
    stream.addEventListener("revision", refresh);
    stream.addEventListener("error", () => {
      link("lost", "connection lost, retrying");
      // A browser gives up for good after some kinds of failure; we never do.
      if (stream.readyState === EventSource.CLOSED) {
        clearTimeout(reconnect);
        reconnect = setTimeout(connect, 2000);
      }
    });
    window.addEventListener("pagehide", () => stream.close(), { once: true });
  };
  connect();
  window.addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
}

// ---- forms ---------------------------------------------------------------------------------------------

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-enhance]")) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const words = page.querySelector(answer.ok ? ".notice" : ".problem .lead")?.textContent;
    if (words) document.getElementById("news").textContent = words;
    form.closest("details")?.removeAttribute("open");
    await refresh();
  } catch {
    form.submit();
  } finally {
    button.removeAttribute("aria-busy");
  }
});

// ---- copying -------------------------------------------------------------------------------------------

function offerCopies(root) {
  if (!navigator.clipboard) return;
  for (const term of root.querySelectorAll("pre.term:not(:has(.copy))")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "Copy" });
    term.append(button);
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest(".copy");
  if (!button) return;
  const code = button.parentElement.querySelector("code").cloneNode(true);
  for (const prompt of code.querySelectorAll(".prompt")) {
    prompt.nextSibling.textContent = prompt.nextSibling.textContent.trimStart();
    prompt.remove();
  }
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch { button.textContent = "Select it by hand"; }
  setTimeout(() => { button.textContent = "Copy"; }, 1600);
});
offerCopies(document);

// ---- theme ---------------------------------------------------------------------------------------------

const theme = document.getElementById("theme");
const themes = ["auto", "light", "dark"];
const show = () => { theme.querySelector("span").textContent = document.documentElement.dataset.theme ?? "auto"; };
theme.hidden = false;
theme.addEventListener("click", () => {
  const next = themes[(themes.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % themes.length];
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try { localStorage.setItem("pulldrill-theme", next); } catch { /* private window: for this page only */ }
  show();
});
show();
tick();
