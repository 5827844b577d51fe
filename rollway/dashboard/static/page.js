// Keeps a page as it is in the cluster: the server says that something has changed, the page is asked for again, and
// those parts are put in place that differ. Without this script every page works; it is then as old as its loading.
"use strict";

(() => {
  const GAP_MS = 1000, POLL_MS = 15000, RETRY_MS = 30000;
  const address = document.body.dataset.stream;
  const link = document.getElementById("link"), said = document.getElementById("said");
  let source = null, asked = null, asking = false, again = false, last = 0, seen = document.body.dataset.seen;

  const units = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
  function length(seconds) {
    const rest = Math.max(0, Math.floor(seconds));
    const first = Math.max(0, units.findIndex(([, size]) => rest >= size));
    const from = rest < 1 ? units.length - 1 : first;
    let left = rest, words = "";
    for (const [unit, size] of units.slice(from, from + 2)) {
      const count = Math.floor(left / size);
      left -= count * size;
      if (count || !words) words += count + unit;
    }
    return words;
  }

  function tick() {
    const now = Date.now();
    for (const one of document.querySelectorAll("time[data-age]")) {
      one.textContent = length((now - Date.parse(one.dateTime)) / 1000);
    }
    for (const one of document.querySelectorAll("time[data-until]")) {
      const left = (Date.parse(one.dateTime) - now) / 1000;
      one.textContent = left > 1 ? "in " + length(left) : "any moment";
    }
  }

  function tell(words, lost) {
    if (!link) return;
    link.hidden = false;
    if (link.textContent !== words) link.textContent = words;
    link.classList.toggle("lost", lost);
  }

  function bare(node) {  // what a part says, but for its times, which go on by themselves, and what is open
    const copy = node.cloneNode(true);
    for (const one of copy.querySelectorAll("time")) one.textContent = "";
    for (const one of copy.querySelectorAll("details")) one.removeAttribute("open");
    for (const one of copy.querySelectorAll(".fresh")) one.classList.remove("fresh");
    return copy.innerHTML;
  }

  function put(page) {
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      if (!fresh || bare(old) === bare(fresh)) continue;
      const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
      const open = [...old.querySelectorAll("details[open]")].map((one) => one.id);
      const scrolled = [...old.querySelectorAll(".scroll, .policy")].map((one) => [one.scrollLeft, one.scrollTop]);
      old.replaceChildren(...fresh.childNodes);
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      old.querySelectorAll(".scroll, .policy").forEach((one, at) => {
        if (scrolled[at]) [one.scrollLeft, one.scrollTop] = scrolled[at];
      });
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
      if (fresh.dataset.says && fresh.dataset.says !== old.dataset.says) {
        old.dataset.says = fresh.dataset.says;
        said.textContent = fresh.dataset.says;
      }
    }
    document.title = page.title;
    seen = page.body.dataset.seen || seen;
    tick();
  }

  async function ask() {
    clearTimeout(asked);
    asked = null;
    if (asking) { again = true; return; }
    asking = true;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.status === 401 || new URL(answer.url).pathname === "/login") { location.reload(); return; }
      if (answer.status === 404) { location.reload(); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      put(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      tell("no connection, trying again", true);
      soon(POLL_MS);
    } finally {
      asking = false;
      if (again) { again = false; soon(GAP_MS); }
    }
  }

  function soon(wait) {
    if (asked === null) asked = setTimeout(ask, Math.max(wait ?? 0, last + GAP_MS - Date.now(), 0));
  }

  function listen() {
    source?.close();
    source = new EventSource(address + (address.includes("?") ? "&" : "?") + "seen=" + encodeURIComponent(seen));
    source.onopen = () => tell("live", false);
    source.addEventListener("changed", () => soon());
    source.addEventListener("end", () => { source.close(); location.reload(); });
    source.onerror = () => {
      tell("no connection, trying again", true);
      if (source.readyState === EventSource.CLOSED) {
        soon(POLL_MS);
        setTimeout(() => { if (!document.hidden) listen(); }, RETRY_MS);
      }
    };
  }

  setInterval(tick, 1000);
  if (address && window.EventSource) {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) source?.close();
      else { listen(); soon(); }
    });
    addEventListener("pagehide", () => source?.close());
    if (!document.hidden) listen();
  }
})();
