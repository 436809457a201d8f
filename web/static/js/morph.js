// Brings a piece of the page up to date in place, so that focus, scrolling and half-typed words stay.

const KEPT = { DETAILS: ["open"], INPUT: ["value", "checked"], OPTION: ["selected"], TEXTAREA: [] };

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || node.id : "");

const matches = (old, fresh) =>
  old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && keyOf(old) === keyOf(fresh);

function morphAttributes(old, fresh) {
  const kept = KEPT[old.nodeName] ?? [];
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !kept.includes(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !kept.includes(name)) old.setAttribute(name, value);
  }
}

function morphNode(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  morphAttributes(old, fresh);
  if (old.nodeName !== "TEXTAREA") morphChildren(old, fresh);
}

// `fresh` is emptied into `old`; what is new and has a key is marked, so that the eye finds it.
export function morphChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) if (keyOf(child)) keyed.set(keyOf(child), child);
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const known = keyOf(wanted) ? keyed.get(keyOf(wanted)) : null;
    if (known && matches(known, wanted)) {
      if (known === place) place = place.nextSibling;
      else old.insertBefore(known, place);
      morphNode(known, wanted);
    } else if (place && !keyOf(place) && matches(place, wanted)) {
      const next = place.nextSibling;
      morphNode(place, wanted);
      place = next;
    } else {
      if (keyOf(wanted)) wanted.classList.add("fresh");
      old.insertBefore(wanted, place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}
