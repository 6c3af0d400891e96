const at = (id) => document.getElementById(id);
const every = Number(document.body.dataset.seconds);
let timer = 0;

// Who is logged in; null if nobody is.
async function ask(query) {
  const answer = await fetch(`/.sso/session?${query}`, { cache: "no-store" });
  if (answer.status === 401) return null;
  if (!answer.ok) throw new Error(`session: ${answer.status}`);
  return answer.json();
}

function show(session) {
  const name = session?.claims?.name ?? session?.remote_user;
  at("who").textContent = session ? `You are ${name}.` : "You are logged out.";
  at("until").textContent = session
    ? `Until ${new Date(session.inactive_at * 1000).toLocaleTimeString()}, without more use.`
    : "";
  at("login").hidden = session !== null;
  at("load").disabled = session === null;
}

// A page that is merely open has tokens refreshed, and does not keep the session going.
async function look() {
  clearTimeout(timer);
  try {
    const session = await ask(`refresh=${every}&extend=false`);
    show(session);
    if (session === null) return;
  } catch (problem) {
    at("until").textContent = "No answer at the moment; trying again.";
  }
  timer = setTimeout(look, every * 1000);
}

// What people do is a use of the session, as any request to the API is.
async function load() {
  const answer = await fetch("/api/orders", { headers: { Accept: "application/json" } });
  if (answer.status === 401) return show(null);
  at("orders").textContent = await answer.text();
}

at("login").href = `/.sso/login?to=${encodeURIComponent(location.pathname)}`;
at("load").addEventListener("click", load);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look();
});
look();
