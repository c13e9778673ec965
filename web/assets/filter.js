// A form with data-filter="x" fills #x as one types, by the server's own page of the same address.
for (const form of document.querySelectorAll("form[data-filter]")) {
  const id = form.dataset.filter;
  let waiting, asking;
  const ask = async () => {
    asking?.abort();
    asking = new AbortController();
    const fields = [...new FormData(form)].filter(([, value]) => value !== "");
    const address = `${form.action}?${new URLSearchParams(fields)}`;
    try {
      const answer = await fetch(address, { signal: asking.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.getElementById(id);
      if (!answer.ok || !found) return;
      document.getElementById(id).replaceWith(found);
      found.dispatchEvent(new Event("shown", { bubbles: true }));
      history.replaceState(null, "", address);
    } catch {
      // The next letter asks again, and the button always does.
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 150);
  });
}
