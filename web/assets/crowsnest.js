// Everything works without these scripts. This one adds a key.

const search = document.querySelector("#home-q") ?? document.querySelector("#q");
for (const hint of document.querySelectorAll("kbd[hidden]")) hint.hidden = false;

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  search?.focus();
  search?.select();
});
