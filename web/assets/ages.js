// Ages go on while a page is open; the server wrote them by the same rule.
const UNITS = [[31536000, "y"], [2592000, "mo"], [86400, "d"], [3600, "h"], [60, "min"], [10, "s", 1]];
setInterval(() => {
  for (const time of document.querySelectorAll("time")) {
    if (!/ ago$|^just now$/.test(time.textContent.trim())) continue;
    const past = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const [least, name, one] = UNITS.find(([least]) => past >= least) ?? [];
    if (name) time.textContent = `${Math.floor(past / (one ?? least))} ${name} ago`;
  }
}, 30000);
