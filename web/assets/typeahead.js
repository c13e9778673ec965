// What may be meant while somebody types: a list below the search box, walked with the arrow keys. Without it the box is a form.

for (const input of document.querySelectorAll('form[role="search"] input[type="search"]')) typeahead(input);

function typeahead(input) {
  const list = document.createElement("ul");
  list.className = "typeahead";
  list.id = `${input.id}-suggestions`;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  list.hidden = true;
  input.parentElement.append(list);
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");

  let chosen = -1;
  let timer;
  let asking;

  const options = () => [...list.children];
  const close = () => {
    clearTimeout(timer);
    asking?.abort();
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (n) => {
    const all = options();
    // One place more than there are options: none of them, what was typed.
    chosen = ((n + 1 + all.length + 1) % (all.length + 1)) - 1;
    all.forEach((option, at) => option.setAttribute("aria-selected", String(at === chosen)));
    if (chosen < 0) input.removeAttribute("aria-activedescendant");
    else {
      input.setAttribute("aria-activedescendant", all[chosen].id);
      all[chosen].scrollIntoView({ block: "nearest" });
    }
  };
  const show = (items) => {
    // Text only: names are strangers' words.
    list.replaceChildren(
      ...items.map((item, at) => {
        const option = document.createElement("li");
        option.id = `${list.id}-${at}`;
        option.dataset.href = item.href;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        const name = document.createElement("bdi");
        name.textContent = item.kind === "owner" ? item.owner : `${item.owner}/${item.name}`;
        const about = document.createElement("small");
        about.textContent = item.kind === "owner" ? "Owner" : (item.description ?? "");
        option.append(name, about);
        return option;
      }),
    );
    chosen = -1;
    list.hidden = items.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
    input.removeAttribute("aria-activedescendant");
  };
  const ask = async () => {
    asking?.abort();
    asking = new AbortController();
    const query = input.value.trim();
    if (!query) return close();
    try {
      const answer = await fetch(`/api/v1/search/suggestions?q=${encodeURIComponent(query)}`, { signal: asking.signal });
      if (answer.ok) show((await answer.json()).items);
    } catch {
      // Another letter came, or the network went: the form still works.
    }
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 120);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !list.hidden) {
      event.preventDefault();
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter" && !list.hidden && chosen >= 0) {
      event.preventDefault();
      location.assign(options()[chosen].dataset.href);
    }
  });
  input.addEventListener("blur", close);
  // Before the box loses the focus, and with it the list.
  list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const href = event.target.closest("li")?.dataset.href;
    if (href && event.button === 0) location.assign(href);
  });
}
