(function () {
  "use strict";
  var told = document.currentScript.dataset;
  parent.postMessage({
    type: told.type,
    authenticator: told.authenticator,
    status: told.status,
    state: told.state
  }, location.origin);
})();
