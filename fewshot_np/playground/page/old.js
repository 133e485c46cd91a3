document.addEventListener("DOMContentLoaded", function () {
  document.getElementById("problem").textContent =
    "This browser is too old for the playground (it knows no JavaScript modules). 这个浏览器太旧，无法运行本页。";
});
