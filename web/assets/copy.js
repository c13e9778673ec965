// Copies what stands in a command.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break; // only over https or on loopback
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}
