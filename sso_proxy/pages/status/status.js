// Takes in what is new every five seconds, but for what somebody is busy with.
"use strict";
const button = document.querySelector("#pause");
let paused = false;

function busy(part) {
  const selected = document.getSelection();
  return part.contains(document.activeElement)
    || (selected && !selected.isCollapsed && selected.intersectsNode(part))
    || part.matches(":hover");
}

function tell(text) {
  const pill = document.createElement("span");
  pill.className = "pill failed";
  pill.textContent = text;
  document.querySelector("#state").replaceChildren(pill);
  document.title = text;
}

async function refresh() {
  const answer = await fetch(`live${location.search}`, { cache: "no-store" });
  if (!answer.ok) {
    tell(answer.status === 401 ? "no longer allowed: get a new link" : "no answer");
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = fresh.title;
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (other && (part.dataset.live === "always" || !busy(part))) {
      const scrolled = part.querySelector(".long")?.scrollTop;
      part.replaceChildren(...other.childNodes);
      if (scrolled) part.querySelector(".long").scrollTop = scrolled;
    }
  }
}

button.hidden = false;
button.addEventListener("click", () => {
  paused = !paused;
  button.setAttribute("aria-pressed", String(paused));
  button.textContent = paused ? "Resume" : "Pause";
});
setInterval(() => {
  if (!paused && !document.hidden) refresh().catch(() => tell("no answer"));
}, 5000);
