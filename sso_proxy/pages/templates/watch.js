(function () {
  "use strict";
  var given = document.currentScript.dataset;
  var provider = document.getElementById("provider");
  var every = Number(given.interval) * 1000;
  var patience = Math.min(every, 5000);
  var state = given.state, states = [state];
  var mark = "sso-proxy-session:" + given.authenticator;
  var loaded = false, over = false, tries = 0, last = "", known = "";
  var answer = 0, again = null, limit = 0;

  function tell(status) {
    if (status === last) { return; }
    last = status;
    parent.postMessage({
      type: "sso-proxy-session",
      authenticator: given.authenticator,
      status: status
    }, location.origin);
  }

  // A browser that keeps the provider's cookies from its frame has it say "changed"
  // from the beginning: only where it once said "unchanged" does that mean anything.
  function remember() {
    known = state;
    try { localStorage.setItem(mark, state); } catch (e) { return; }
  }
  function remembered() {
    if (known === state) { return true; }
    try { return localStorage.getItem(mark) === state; } catch (e) { return false; }
  }

  function ask() {
    if (over || again) { return; }
    clearTimeout(answer);
    answer = setTimeout(function () { tell("unknown"); }, patience);
    if (loaded) {
      provider.contentWindow.postMessage(given.client + " " + state, given.provider);
    }
  }

  function hear(said) {
    if (over || again) { return; }
    clearTimeout(answer);
    if (said === "unchanged") {
      tries = 0;
      remember();
      tell("unchanged");
    } else if (said === "changed" && remembered() && tries < 3) {
      tries += 1;
      login();
    } else {
      tell("unknown");
    }
  }

  // Whether the same user is still logged in there, as nobody is asked anything.
  function login() {
    again = document.createElement("iframe");
    again.src = given.again;
    again.hidden = true;
    document.body.appendChild(again);
    limit = setTimeout(function () { found("unknown"); }, 10000);
  }

  function found(status, renewed) {
    clearTimeout(limit);
    again.remove();
    again = null;
    if (status === "same") {
      state = renewed || state;
      if (states.indexOf(state) < 0) { states = [given.state, state]; }
      remember();
      ask();
    } else if (status === "gone") {
      end();
    } else {
      tell("unknown");
    }
  }

  function end() {
    var form = new URLSearchParams();
    states.forEach(function (each) { form.append("state", each); });
    fetch(location.pathname, {method: "POST", body: form, credentials: "same-origin"})
      .then(function (response) { return response.json(); })
      .then(function (told) {
        if (told.another) {
          location.reload();
          return;
        }
        over = true;
        tell("ended");
      })
      .catch(function () { tell("unknown"); });
  }

  addEventListener("message", function (event) {
    if (event.source === provider.contentWindow && event.origin === given.provider) {
      hear(event.data);
    } else if (again && event.source === again.contentWindow
        && event.origin === location.origin
        && event.data && event.data.type === "sso-proxy-login") {
      found(event.data.status, event.data.state);
    }
  });
  provider.addEventListener("load", function () {
    loaded = true;
    ask();
  });
  document.addEventListener("visibilitychange", function () {
    if (!document.hidden) { ask(); }
  });
  setInterval(ask, every);
})();
