// Buttons that copy, hidden until this is here to make them work.
{
  const copy = (button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        const beside = button.previousElementSibling;
        await navigator.clipboard.writeText(button.dataset.copy || (beside.querySelector("[title]") ?? beside).title);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not allowed";
      }
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  };
  const all = (within) => {
    if (!navigator.clipboard) return; // only over https or on loopback
    // Long tables come without their buttons, to be light.
    for (const digest of within.querySelectorAll("[data-copies] .digest")) {
      digest.insertAdjacentHTML("afterend", '<button class="copy" data-copy="" aria-label="Copy the digest" hidden>Copy</button>');
    }
    for (const button of within.querySelectorAll("[data-copy][hidden]")) copy(button);
  };
  all(document);
  document.addEventListener("shown", (event) => all(event.target));
}
