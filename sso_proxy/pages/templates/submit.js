(function () {
  "use strict";
  var form = document.querySelector("form");
  // A field named "submit" would stand before the form's own method.
  HTMLFormElement.prototype.submit.call(form);
})();
