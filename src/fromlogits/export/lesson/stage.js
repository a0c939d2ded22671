// A street with things on it that can be moved, added and taken away, by pointer and by keys.

const STREET = 4, STANDING = { car: [9.5, 28, 2, true], bus: [19, 24, 1, false], pedestrian: [25, 29.5, 3, true] };
const NEAR = 1.5;  // how far beside a thing, in pixels, a finger still holds it
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// `changed` is given the pixels and the kinds that are there.
function sceneStage(kinds, changed) {
  const scene = {
    street: STREET,
    things: kinds.map((kind) => {
      const [x, y, seed, isThere] = STANDING[kind];
      return { kind, x, y, seed, isThere };
    }),
  };
  let painting, held = null;
  const canvas = el("canvas", { class: "pad", width: ACROSS, height: ACROSS, role: "img", "aria-label": "The scene" });
  const seen = el("canvas", { class: "seen", id: "scene-seen", role: "img", "aria-label": "What the network sees" });
  const handles = scene.things.map((thing, number) => el("div", {
    class: "thing", id: `thing-${thing.kind}`, tabindex: 0, role: "application", "aria-describedby": "thing-keys", onkeydown: (event) => keyed(event, number),
  }));
  const stage = el("div", { class: "stage", id: "stage" }, canvas, handles);
  const tray = scene.things.map((thing, number) => {
    const picture = el("canvas", { "aria-hidden": "true" });
    const toggle = el("button", { type: "button", id: `toggle-${thing.kind}`, class: "toggle" }, picture, el("span", {}, thing.kind));
    const again = el("button", { type: "button", class: "again", id: `again-${thing.kind}`, "aria-label": `Another ${thing.kind}`, title: `Another ${thing.kind}`, onclick: () => { thing.seed++; told(); } }, "↻");
    follow(toggle, () => ({ number, from: null, dx: 0, dy: 4 }), () => { thing.isThere = !thing.isThere; told(); });
    return { picture, toggle, item: el("li", {}, toggle, again) };
  });
  follow(stage, ([x, y]) => {
    const number = nearest(x, y);
    if (number < 0) return null;
    handles[number].focus({ preventScroll: true });
    return { number, dx: scene.things[number].x - x, dy: scene.things[number].y - y };
  });

  const horizon = () => new Dice(scene.street).between(11.5, 13.5);
  const pointOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  };
  function put(thing, x, y) {
    thing.x = Math.min(SIDE, Math.max(0, x));
    thing.y = Math.min(SIDE, Math.max(horizon() + 4, y));
  }

  // A thing is held from pointerdown on, by what `grab` says of the point; `pressed` is a click that moved nothing.
  function follow(element, grab, pressed = () => {}) {
    let isMoved = false;
    element.addEventListener("pointerdown", (event) => {
      isMoved = false;
      held = grab(pointOf(event));
      if (!held) return;
      held.start = [event.clientX, event.clientY];
      element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      if (!held || (!isMoved && Math.hypot(event.clientX - held.start[0], event.clientY - held.start[1]) < 3)) return;
      isMoved = true;
      const [x, y] = pointOf(event), thing = scene.things[held.number];
      thing.isThere = x >= 0 && x <= SIDE && y >= 0 && y <= SIDE;
      if (thing.isThere) put(thing, x + held.dx, y + held.dy);
      told();
    });
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => { held = null; });
    element.addEventListener("click", () => {
      if (!isMoved) pressed();
      isMoved = false;
    });
  }

  function keyed(event, number) {
    const thing = scene.things[number], way = WAYS[event.key], isAway = ["Delete", "Backspace"].includes(event.key);
    if (!way && !isAway) return;
    event.preventDefault();
    if (way) {
      const step = event.shiftKey ? 0.25 : 1;
      put(thing, thing.x + step * way[0], thing.y + step * way[1]);
    } else {
      thing.isThere = false;
      tray[number].toggle.focus();
    }
    told();
  }

  // The thing whose pixel is nearest; -1 of none that is near.
  function nearest(x, y) {
    let found = -1, least = (NEAR * FINE) ** 2;
    painting.owner.forEach((owner, place) => {
      const distance = ((place % ACROSS) + 0.5 - x * FINE) ** 2 + (Math.floor(place / ACROSS) + 0.5 - y * FINE) ** 2;
      if (owner >= 0 && distance < least) [found, least] = [owner, distance];
    });
    return found;
  }

  function told() {
    painting = painted(scene);
    const values = pixelsOf(scene);
    drawn(canvas, painting, lightOf(new Dice(scene.street + 1)));
    show(seen, values, [SIDE, SIDE, 3], 255);
    scene.things.forEach((thing, number) => {
      const { kind, x, y, isThere, seed } = thing, { picture, toggle } = tray[number], box = painting.boxes[number];
      handles[number].hidden = !box;
      handles[number].setAttribute("aria-label", `${kind}, ${Math.round(x)} from the left and ${Math.round(y)} from the top, of ${SIDE}`);
      if (box) {
        const [left, top, right, bottom] = box.map((edge) => `${(100 * edge) / SIDE}%`);
        Object.assign(handles[number].style, { left, top, width: `calc(${right} - ${left})`, height: `calc(${bottom} - ${top})` });
      }
      toggle.setAttribute("aria-pressed", isThere);
      portrait(picture, kind, seed);
    });
    changed(values, scene.things.filter(({ isThere }) => isThere).map(({ kind }) => kind));
  }

  const parts = el("div", { id: "scene" },
    el("p", { class: "hint" }, "Drag the objects, drag them out and in, or add and take them away below. The picture is drawn as the training’s scenes were, down to light and noise."),
    el("div", { class: "pads" }, el("div", {}, stage), el("figure", {}, seen, el("figcaption", {}, `${SIDE} × ${SIDE} pixels: what the network sees`))),
    el("ul", { class: "tray", "aria-label": "Objects" }, tray.map(({ item }) => item), el("li", {}, el("button", { type: "button", id: "street", onclick: () => { scene.street += 2; told(); } }, "Another street"))),
    el("p", { class: "hint", id: "thing-keys" }, "By keys: Tab to an object; arrow keys move it by a pixel, with Shift by a quarter; Delete takes it away."));
  return { parts, scene, told };
}

// A painting in fine pixels, under a light.
function drawn(canvas, { pixels }, light) {
  const context = canvas.getContext("2d"), picture = context.createImageData(ACROSS, ACROSS);
  for (let place = 0; place < ACROSS * ACROSS; place++) {
    for (let colour = 0; colour < 3; colour++) picture.data[4 * place + colour] = (pixels[3 * place + colour] * light[colour]) / 100;
    picture.data[4 * place + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}

// One thing alone, in the middle of a road.
function portrait(canvas, kind, seed) {
  const painting = new Painting(), road = 4;
  painting.box(0, 0, SIDE, SIDE, [118, 118, 122]);
  painting.number = 0;
  THINGS[kind](painting, new Dice(seed), SIDE / 2, SIDE - road, 1);
  const [, top, , bottom] = painting.extent(0), fine = el("canvas", { width: ACROSS, height: ACROSS });
  drawn(fine, painting, [100, 100, 100]);
  const side = 25, left = (SIDE - side) / 2, from = Math.min(SIDE - side, Math.max(0, (top + bottom - side) / 2));
  Object.assign(canvas, { width: side * FINE, height: side * FINE });
  canvas.getContext("2d").drawImage(fine, left * FINE, from * FINE, side * FINE, side * FINE, 0, 0, side * FINE, side * FINE);
}
