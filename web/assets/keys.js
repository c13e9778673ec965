// Single keys, a list of them, and a switch: who speaks to a computer must be able to have none.
const KEYS = [["/", "Search"], ["j", "Next in a list"], ["k", "The one before"], ["h", "First page"], ["?", "This list"]];
const kept = {
  get off() { try { return localStorage.getItem("keys") === "off"; } catch { return false; } },
  set off(off) { try { off ? localStorage.setItem("keys", "off") : localStorage.removeItem("keys"); } catch { /* not kept */ } },
};
const search = document.querySelector("#home-q") ?? document.querySelector("#q");
const hint = () => document.querySelectorAll(".search kbd").forEach((kbd) => (kbd.hidden = kept.off));
let dialog;

function list() {
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.className = "keys";
    dialog.setAttribute("aria-labelledby", "keys-title");
    const rows = KEYS.map(([key, what]) => `<div><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`).join("");
    dialog.innerHTML = `<h2 id="keys-title">Keys</h2><dl>${rows}</dl><label><input type="checkbox"> Use these keys</label>
      <form method="dialog"><button>Close</button></form>`;
    dialog.querySelector("input").addEventListener("change", (event) => {
      kept.off = !event.target.checked;
      hint();
    });
    document.body.append(dialog);
  }
  dialog.querySelector("input").checked = !kept.off;
  dialog.showModal();
}

function move(step) {
  const links = [...document.querySelectorAll(".row-name a, .cards tbody th a")];
  const at = links.indexOf(document.activeElement);
  links[at < 0 && step < 0 ? -1 : Math.min(Math.max(at + step, 0), links.length - 1)]?.focus();
}

const acts = {
  "/": () => { search?.focus(); search?.select(); },
  "?": list,
  j: () => move(1),
  k: () => move(-1),
  h: () => location.assign("/"),
};

hint();
for (const button of document.querySelectorAll("[data-keys]")) {
  button.hidden = false;
  button.addEventListener("click", list);
}
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, dialog, [contenteditable]");
  if (kept.off || typing || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(acts, event.key)) return;
  event.preventDefault();
  acts[event.key]();
});
