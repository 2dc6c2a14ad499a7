"use strict";
// Search is the one thing that needs a script: without one there is no field for it.
const filter = document.querySelector(".filter");
const field = document.createElement("input");
field.type = "search";
field.placeholder = "search";
field.setAttribute("aria-label", "search in all cards");
filter.append(field);
const cards = Array.from(document.querySelectorAll(".card"));
const texts = cards.map((card) => card.textContent.toLowerCase());
field.addEventListener("input", () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  cards.forEach((card, at) => {
    card.hidden = !words.every((word) => texts[at].includes(word));
  });
});
