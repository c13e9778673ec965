// What is new moves by itself. The server sends rows with the place of each, so that after a cut the next is asked for.
const list = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");
const button = document.querySelector("[data-live-pause]");
if (list && state && button && window.EventSource) {
  const most = Number(list.dataset.most);
  let after = list.dataset.after;
  let source;
  let paused = false;

  const time = (row) => Date.parse(row.querySelector("time")?.dateTime ?? "") || 0;
  const name = (row) => row.querySelector(".row-name a")?.getAttribute("href");

  function place(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const row = template.content.querySelector("li");
    if (!row) return;
    for (const old of [...list.children]) if (name(old) === name(row)) old.remove();
    list.insertBefore(row, [...list.children].find((other) => time(other) < time(row)) ?? null);
    while (list.children.length > most) list.lastElementChild.remove();
  }

  function close() {
    source?.close();
    source = undefined;
  }

  function open() {
    close();
    source = new EventSource(`${list.dataset.live}?after=${encodeURIComponent(after)}`);
    source.addEventListener("open", () => (state.textContent = "Live"));
    source.addEventListener("error", () => {
      state.textContent = "Not connected";
      // The browser tries again by itself, but not after a refusal.
      if (source?.readyState === EventSource.CLOSED) setTimeout(() => paused || document.hidden || open(), 15000);
    });
    source.addEventListener("pushed", (event) => {
      after = event.lastEventId;
      place(event.data);
    });
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume" : "Pause";
    if (!paused) return open();
    close();
    state.textContent = "Paused";
  });
  // A page that nobody looks at takes no connection.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (!paused) open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && !paused && open());
  if (!document.hidden) open();
}
