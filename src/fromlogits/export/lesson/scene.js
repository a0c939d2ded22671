// Street scenes, drawn as examples/make_scenes.py draws them: the same shapes, sizes, colours, light and noise.
// From the same dice the pixels are the same.

const SIDE = 32, FINE = 4, ACROSS = SIDE * FINE, LEVELS = 8;
const LIGHT = [[236, 236, 230], [206, 210, 214], [250, 220, 80], [150, 205, 248], [250, 165, 150], [170, 228, 150]];
const DARK = [[22, 22, 26], [50, 48, 46], [22, 40, 120], [140, 22, 24], [18, 80, 40], [84, 40, 96]];
const SKIN = [[244, 208, 178], [214, 160, 116], [150, 98, 62], [88, 56, 38]];
const HAIR = [[28, 22, 20], [96, 58, 30], [216, 178, 96], [190, 190, 188]];
const SKY_ABOVE = [[96, 152, 224], [150, 156, 164], [214, 120, 84], [24, 28, 62]];
const SKY_BELOW = [[176, 208, 240], [196, 198, 200], [248, 196, 128], [66, 62, 104]];
const TYRE = [24, 24, 26], SHADOW = [84, 84, 88];

// Python's round: a half goes to the even neighbour.
function roundEven(x) {
  const low = Math.floor(x), rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

// Random choices of one thing; the same seed makes the same ones (Mulberry32).
class Dice {
  constructor(seed) { this.state = seed >>> 0; }

  random() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let bits = this.state;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low, high) { return low + (high - low) * this.random(); }
  chance(probability) { return this.random() < probability; }
  count(low, high) { return low + Math.floor(this.random() * (high + 1 - low)); }
  oneOf(colours) { return colours[this.count(0, colours.length - 1)]; }
  paint() { return this.oneOf(this.chance(0.5) ? LIGHT : DARK); }
  grey(low, high) {
    const level = this.count(low, high), warmth = this.count(-6, 6);
    return [level + warmth, level, level - warmth];
  }
}

const shade = (colour, percent) => colour.map((part) => Math.min(Math.floor((part * percent) / 100), 255));

// FINE x FINE fine pixels for each finished one; `owner` is the number of the thing painted last at each, -1 of none.
class Painting {
  constructor() {
    this.pixels = new Int16Array(ACROSS * ACROSS * 3);
    this.owner = new Int8Array(ACROSS * ACROSS).fill(-1);
    this.number = -1;
  }

  fill(left, top, right, bottom, colour, isInside = () => true) {
    const [x0, x1, y0, y1] = [left, right, top, bottom].map((edge) => Math.min(Math.max(roundEven(edge * FINE), 0), ACROSS));
    for (let row = y0; row < y1; row++) {
      for (let column = x0; column < x1; column++) {
        if (!isInside((column + 0.5) / FINE, (row + 0.5) / FINE)) continue;
        const place = row * ACROSS + column;
        this.pixels.set(colour, 3 * place);
        this.owner[place] = this.number;
      }
    }
  }

  box(left, top, right, bottom, colour) { this.fill(left, top, right, bottom, colour); }

  ellipse(x, y, rx, ry, colour) {
    this.fill(x - rx, y - ry, x + rx, y + ry, colour, (px, py) => {
      const across = (px - x) / rx, down = (py - y) / ry;
      return across * across + down * down <= 1;
    });
  }

  // Between two horizontal edges, each given by its two ends.
  trapezoid(top, bottom, [a, b], [c, d], colour) {
    this.fill(Math.min(a, b, c, d), top, Math.max(a, b, c, d), bottom, colour, (px, py) => {
      const down = (py - top) / (bottom - top), one = a + (c - a) * down, other = b + (d - b) * down;
      return px >= Math.min(one, other) && px <= Math.max(one, other);
    });
  }

  // The box around all that one thing owns, in finished pixels; null of nothing.
  extent(number) {
    let [left, top, right, bottom] = [ACROSS, ACROSS, -1, -1];
    this.owner.forEach((owner, place) => {
      if (owner !== number) return;
      const x = place % ACROSS, y = Math.floor(place / ACROSS);
      [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
    });
    return right < 0 ? null : [left, top, right + 1, bottom + 1].map((edge) => edge / FINE);
  }

  // The mean of each block of fine pixels, rounded down.
  finished() {
    const found = Array(SIDE * SIDE * 3).fill(0);
    for (let row = 0, from = 0; row < ACROSS; row++) {
      for (let column = 0; column < ACROSS; column++, from += 3) {
        const to = 3 * (Math.floor(row / FINE) * SIDE + Math.floor(column / FINE));
        for (let colour = 0; colour < 3; colour++) found[to + colour] += this.pixels[from + colour];
      }
    }
    return found.map((total) => Math.floor(total / (FINE * FINE)));
  }
}

function wheel(painting, x, y, radius) {
  painting.ellipse(x, y, radius, radius, TYRE);
  painting.ellipse(x, y, 0.55 * radius, 0.55 * radius, [190, 190, 194]);
}

// Each thing stands on (x, y).
const THINGS = {
  car(painting, dice, x, y, scale) {
    const length = scale * dice.between(15.5, 18.5), way = dice.chance(0.5) ? 1 : -1, body = dice.paint();
    const glass = dice.chance(0.8) ? dice.oneOf(LIGHT.includes(body) ? DARK : LIGHT) : dice.paint();
    const tail = dice.between(-0.5, -0.36);  // where the roof ends behind: an estate car or a saloon
    const at = (along) => x + way * along * length, up = (high) => y - high * length;
    painting.ellipse(x, y, 0.5 * length, 0.05 * length, SHADOW);
    painting.trapezoid(up(0.47), up(0.28), [at(tail + 0.1), at(0.12)], [at(tail), at(0.3)], body);
    painting.trapezoid(up(0.43), up(0.29), [at(tail + 0.14), at(-0.1)], [at(tail + 0.07), at(-0.1)], glass);
    painting.trapezoid(up(0.43), up(0.29), [at(-0.04), at(0.1)], [at(-0.04), at(0.23)], glass);
    painting.trapezoid(up(0.3), up(0.08), [at(-0.49), at(0.42)], [at(-0.5), at(0.5)], body);
    painting.trapezoid(up(0.12), up(0.08), [at(-0.5), at(0.5)], [at(-0.5), at(0.5)], shade(body, 60));
    painting.ellipse(at(0.45), up(0.21), 0.045 * length, 0.045 * length, [255, 244, 190]);
    painting.trapezoid(up(0.26), up(0.18), [at(-0.5), at(-0.45)], [at(-0.5), at(-0.45)], [214, 36, 30]);
    for (const along of [-0.29, 0.29]) wheel(painting, at(along), up(0.09), 0.105 * length);
  },

  bus(painting, dice, x, y, scale) {
    const length = scale * dice.between(19, 23), way = dice.chance(0.5) ? 1 : -1, body = dice.paint();
    const glass = dice.oneOf(LIGHT.includes(body) ? DARK : LIGHT), windows = dice.count(4, 6);
    const rows = dice.chance(0.85) ? [[0.5, 0.32]] : [[0.68, 0.54], [0.45, 0.31]];
    const at = (along) => x + way * along * length, up = (high) => y - high * length;
    painting.ellipse(x, y, 0.5 * length, 0.035 * length, SHADOW);
    painting.trapezoid(up(rows[0][0] + 0.06), up(0.06), [at(-0.5), at(0.48)], [at(-0.5), at(0.5)], body);
    if (dice.chance(0.5)) painting.trapezoid(up(0.22), up(0.16), [at(-0.5), at(0.5)], [at(-0.5), at(0.5)], dice.paint());
    for (const [top, bottom] of rows) {
      for (let number = 0; number < windows; number++) {
        const left = -0.46 + (number * 0.8) / windows, right = left + 0.6 / windows;
        painting.trapezoid(up(top), up(bottom), [at(left), at(right)], [at(left), at(right)], glass);
      }
    }
    painting.trapezoid(up(rows.at(-1)[0]), up(0.09), [at(0.37), at(0.46)], [at(0.37), at(0.47)], glass);
    for (const along of [-0.3, 0.27]) wheel(painting, at(along), up(0.065), 0.075 * length);
  },

  pedestrian(painting, dice, x, y, scale) {
    const height = scale * dice.between(15.5, 19), width = height * dice.between(0.14, 0.18);
    const coat = dice.paint(), skin = dice.oneOf(SKIN), alike = LIGHT.includes(coat) ? LIGHT : DARK;
    const trousers = dice.chance(0.5) ? dice.oneOf(alike) : dice.paint();
    const stride = height * dice.between(0.02, 0.14), way = dice.chance(0.5) ? 1 : -1;
    const up = (high) => y - high * height, foot = 0.045 * height;
    for (const side of [-1, 1]) {
      const hip = x + side * 0.45 * width, toe = x + side * stride;
      painting.trapezoid(up(0.5), y, [hip - foot, hip + foot], [toe - foot, toe + foot], trousers);
    }
    if (dice.chance(0.25)) painting.trapezoid(up(0.52), up(0.27), [x - 0.7 * width, x + 0.7 * width], [x - width, x + width], trousers);
    for (const side of [-1, 1]) {
      const top = x + side * 0.95 * width, hand = x + side * (width + 0.5 * stride);
      painting.trapezoid(up(0.8), up(0.48), [top - foot, top + foot], [hand - foot, hand + foot], coat);
    }
    painting.trapezoid(up(0.83), up(0.46), [x - width, x + width], [x - 0.75 * width, x + 0.75 * width], coat);
    painting.ellipse(x, up(0.92), 0.085 * height, 0.095 * height, dice.oneOf(HAIR));
    painting.ellipse(x + way * 0.02 * height, up(0.9), 0.065 * height, 0.075 * height, skin);
    if (dice.chance(0.3)) {
      const bag = x + way * 1.5 * width;
      painting.box(bag - 0.06 * height, up(0.46), bag + 0.06 * height, up(0.33), dice.paint());
    }
  },
};

function house(painting, dice, left, right, bottom) {
  const wall = dice.paint(), glass = dice.paint(), top = bottom - dice.between(5, 13), middle = (left + right) / 2;
  painting.box(left, top, right, bottom, wall);
  if (dice.chance(0.6)) painting.trapezoid(top - 2.5, top, [middle - 1, middle + 1], [left - 0.5, right + 0.5], dice.paint());
  for (let y = top + 1; y + 1.6 < bottom - 1.5; y += 3.2) {
    for (let x = left + 1; x + 1.4 < right; x += 2.6) painting.box(x, y, x + 1.4, y + 1.7, glass);
  }
  painting.box(middle - 0.8, bottom - 2.4, middle + 0.8, bottom, dice.paint());
}

// Sky, houses down to the horizon, a pavement, the road and its markings.
function backdrop(painting, dice, horizon) {
  const sky = dice.count(0, SKY_ABOVE.length - 1);
  painting.box(0, 0, SIDE, 5, SKY_ABOVE[sky]);
  painting.box(0, 5, SIDE, horizon, SKY_BELOW[sky]);
  if (dice.chance(0.5)) {
    const cloud = dice.between(0, SIDE), high = dice.between(1, 5);
    painting.ellipse(cloud, high, 5, 1.3, dice.grey(180, 245));
    painting.ellipse(cloud + 2, high - 0.8, 3, 1.2, dice.grey(180, 245));
  }
  for (let left = dice.between(-6, 0); left < SIDE;) {
    const right = left + dice.between(6, 12);
    if (dice.chance(0.8)) house(painting, dice, left, right, horizon);
    left = right + dice.between(0, 1.5);
  }
  const road = dice.grey(95, 150);
  painting.box(0, horizon, SIDE, horizon + 3, dice.grey(90, 200));
  painting.box(0, horizon + 3, SIDE, horizon + 3.5, dice.grey(60, 220));
  painting.box(0, horizon + 3.5, SIDE, SIDE, road);
  const middle = dice.between(horizon + 7, horizon + 11), start = dice.between(-6, 0);
  for (let dash = 0; dash < 6; dash++) painting.box(start + 7 * dash, middle, start + 7 * dash + 4, middle + 0.7, [232, 228, 210]);
  if (dice.chance(0.25)) {
    const far = dice.between(4, SIDE - 10), near = dice.between(-6, SIDE - 14);
    for (let stripe = 0; stripe < 5; stripe++) {
      const upper = far + 1.5 * stripe, lower = near + 5 * stripe;
      painting.trapezoid(horizon + 3.5, SIDE, [upper, upper + 0.8], [lower, lower + 2.6], [222, 222, 214]);
    }
  }
  for (let left = dice.count(0, 3); left > 0; left--) {  // patches and puddles
    const patch = shade(road, dice.count(65, 140)), x = dice.between(0, SIDE), y = dice.between(horizon + 5, SIDE);
    painting.ellipse(x, y, dice.between(1.5, 5), dice.between(0.5, 1.4), patch);
  }
}

// The parts of 100 of each colour that the light leaves.
function lightOf(dice) {
  const gain = dice.count(76, 118);
  return [0, 1, 2].map(() => gain + dice.count(-8, 8));
}

// Under its own light, in steps of LEVELS, with noise on one pixel in eight.
function lit(picture, dice) {
  const light = lightOf(dice), values = new Array(picture.length);
  for (let place = 0; place < SIDE * SIDE; place++) {
    const sixteenth = dice.count(0, 15), noise = sixteenth === 0 ? 1 : sixteenth === 1 ? -1 : 0;
    for (let colour = 0; colour < 3; colour++) {
      const at = 3 * place + colour, level = Math.floor((Math.floor((picture[at] * light[colour]) / 100) + LEVELS / 2) / LEVELS);
      values[at] = LEVELS * Math.min(Math.max(level + noise, 0), Math.floor(255 / LEVELS));
    }
  }
  return values;
}

// A scene {street, things: [{kind, x, y, seed, isThere}]}; each part has dice of its own, so that moving one changes
// no other. The nearest is painted last.
function painted({ street, things }) {
  const painting = new Painting(), dice = new Dice(street), horizon = dice.between(11.5, 13.5);
  backdrop(painting, dice, horizon);
  painting.boxes = [];  // of each thing, whole, in finished pixels
  const order = things.map((thing, number) => ({ ...thing, number })).filter(({ isThere }) => isThere).sort((a, b) => a.y - b.y);
  for (const { kind, x, y, seed, number } of order) {
    painting.number = number;
    THINGS[kind](painting, new Dice(seed), x, y, 0.75 + (0.25 * (y - horizon)) / (SIDE - horizon));
    painting.boxes[number] = painting.extent(number);
  }
  return painting;
}

const pixelsOf = (scene) => lit(painted(scene).finished(), new Dice(scene.street + 1));
