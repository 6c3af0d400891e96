(function () {
  "use strict";
  var form = document.querySelector("form");
  form.elements[0].value = location.hash.slice(1);
  // What came may be tokens: they stay neither in the address bar nor in the history.
  history.replaceState(null, "", location.pathname);
  HTMLFormElement.prototype.submit.call(form);
})();
