// Draws lines and zones over a live picture, by mouse, finger or keyboard. Corners are fractions of the picture.
const NEAR_PX = 14;
const STEP = 0.01;

class Editor {
  constructor() {
    this.dialog = byId('editor');
    this.surface = byId('surface');
    this.canvas = byId('editor-picture');
    this.stream = null;
    this.places = []; // {kind: 'line' or 'zone', name, points}
    this.drawing = null; // the one that is not finished
    this.dragged = null; // {place, index}
    this.cross = null;
    this.listen();
  }

  listen() {
    byId('editor-close').onclick = () => this.dialog.close();
    byId('add-line').onclick = () => this.begin('line');
    byId('add-zone').onclick = () => this.begin('zone');
    byId('finish').onclick = () => this.finish();
    byId('undo').onclick = () => this.undo();
    byId('save').onclick = () => this.save();
    this.dialog.onclose = () => { this.stream = null; };
    this.dialog.oncancel = (event) => {
      if (!this.drawing) return;
      event.preventDefault();
      this.drawing = null;
      this.show();
    };
    this.surface.onpointerdown = (event) => this.press(event);
    this.surface.onpointermove = (event) => this.move(event);
    this.surface.onpointerup = this.surface.onpointercancel = () => { this.dragged = null; };
    this.surface.onkeydown = (event) => this.key(event);
  }

  async open(stream) {
    Object.assign(this, {stream, places: [], drawing: null, dragged: null, cross: null});
    byId('editor-title').textContent = `Lines and zones of ${stream.source}`;
    byId('copy').hidden = true;
    this.say('');
    this.show();
    this.dialog.showModal();
    try {
      const all = await (await fetch('/zones')).json();
      const found = all.streams[stream.name] || {lines: [], zones: []};
      this.places = [...found.lines.map((line) => ({kind: 'line', ...line})),
                     ...found.zones.map((zone) => ({kind: 'zone', ...zone}))];
      byId('save').textContent = all.can_save ? 'Save' : 'Check and show the text';
    } catch (error) {
      this.say('The lines and zones could not be read.', 'bad');
    }
    this.show();
  }

  picture(number, picture) {
    if (this.stream && this.stream.number === number) paint(this.canvas, picture);
  }

  begin(kind) {
    const taken = new Set(this.places.map((place) => place.name));
    let number = 1;
    while (taken.has(`${kind} ${number}`)) number += 1;
    this.drawing = {kind, name: `${kind} ${number}`, points: []};
    this.cross = null;
    this.surface.focus();
    this.show();
  }

  at(event) {
    const box = this.surface.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map(inside);
  }

  press(event) {
    const point = this.at(event);
    if (!this.drawing) {
      this.dragged = this.corner(point);
      if (this.dragged) this.surface.setPointerCapture(event.pointerId);
    } else if (this.drawing.points.length > 2 && this.isNear(point, this.drawing.points[0])) {
      this.finish();
    } else {
      this.add(point);
    }
    event.preventDefault();
    this.surface.focus();
  }

  move(event) {
    this.cross = this.drawing ? this.at(event) : null;
    if (this.dragged) this.dragged.place.points[this.dragged.index] = this.at(event);
    if (this.dragged || this.drawing) this.draw();
  }

  key(event) {
    const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
    const step = steps[event.key];
    const much = event.shiftKey ? 10 : 1;
    if (step) {
      const [x, y] = this.cross || [0.5, 0.5];
      this.cross = [x + step[0] * STEP * much, y + step[1] * STEP * much].map(inside);
    } else if (event.key === 'Enter' && this.drawing) {
      this.add(this.cross || [0.5, 0.5]);
    } else if (event.key === 'Backspace') {
      this.undo();
    } else if (event.key.toLowerCase() === 'f') {
      this.finish();
    } else {
      return;
    }
    event.preventDefault();
    this.show();
  }

  isNear(one, other) {
    const box = this.surface.getBoundingClientRect();
    return Math.hypot((one[0] - other[0]) * box.width, (one[1] - other[1]) * box.height) < NEAR_PX;
  }

  corner(point) {
    for (const place of this.places) {
      const index = place.points.findIndex((other) => this.isNear(point, other));
      if (index >= 0) return {place, index};
    }
    return null;
  }

  add(point) {
    this.drawing.points.push(point);
    if (this.drawing.kind === 'line' && this.drawing.points.length === 2) this.finish();
    this.show();
  }

  undo() {
    if (this.drawing) this.drawing.points.pop();
    this.show();
  }

  finish() {
    const least = {line: 2, zone: 3};
    if (!this.drawing || this.drawing.points.length < least[this.drawing.kind]) return;
    this.places.push(this.drawing);
    this.drawing = null;
    this.show();
  }

  async save() {
    const listed = (kind) => this.places.filter((place) => place.kind === kind).map(
      (place) => ({name: place.name, points: place.points.map((point) => point.map((value) => Number(value.toFixed(4))))}));
    const body = JSON.stringify({stream: this.stream.name, lines: listed('line'), zones: listed('zone')});
    try {
      const answer = await fetch('/zones', {method: 'PUT', headers: {'Content-Type': 'application/json'}, body});
      const said = await answer.json();
      if (!answer.ok) return this.say([said.error, said.hint].filter(Boolean).join(': '), 'bad');
      byId('copy').hidden = said.saved;
      byId('toml').value = said.toml;
      byId('flags').value = said.flags;
      this.say(said.saved ? 'Saved.' : '', 'good');
    } catch (error) {
      this.say('There is no connection. Nothing was saved.', 'bad');
    }
    return undefined;
  }

  say(text, kind = '') {
    byId('editor-said').textContent = text;
    byId('editor-said').className = kind;
  }

  show() {
    byId('finish').disabled = !this.drawing || this.drawing.kind !== 'zone' || this.drawing.points.length < 3;
    byId('undo').disabled = !this.drawing || !this.drawing.points.length;
    const help = {line: 'Set two points. In is from the right of the line to its left, seen from the first point.',
                  zone: 'Set three corners or more. Click the first one to finish.'};
    byId('editor-help').textContent = this.drawing ? help[this.drawing.kind]
      : 'Add a line or a zone. Corners can be moved.';
    byId('places').replaceChildren(...this.places.map((place) => this.row(place)));
    this.draw();
  }

  row(place) {
    const row = make('li');
    const name = make('input');
    name.value = place.name;
    name.maxLength = 80;
    name.setAttribute('aria-label', `Name of the ${place.kind}`);
    name.oninput = () => { place.name = name.value; };
    const remove = make('button', '', 'Delete');
    remove.setAttribute('aria-label', `Delete ${place.name}`);
    remove.onclick = () => {
      this.places = this.places.filter((other) => other !== place);
      this.show();
    };
    row.append(make('span', '', place.kind), name, remove);
    return row;
  }

  draw() {
    const paths = this.places.flatMap((place) => shapes(place, place.kind === 'zone'));
    if (this.drawing) {
      const points = this.cross ? [...this.drawing.points, this.cross] : this.drawing.points;
      paths.push(...shapes({...this.drawing, points}, false));
    }
    if (this.cross) paths.push(path(`M${this.cross[0]} 0V1M0 ${this.cross[1]}H1`, 'cross'));
    byId('drawing').replaceChildren(...paths);
  }
}

const inside = (value) => Math.min(1, Math.max(0, value));

function shapes(place, closed) {
  const corners = place.points.map(([x, y]) => path(`M${x} ${y}h0`, 'corner'));
  if (place.points.length < 2) return corners;
  const way = place.points.map(([x, y]) => `${x} ${y}`).join('L');
  return [path(`M${way}${closed ? 'Z' : ''}`, place.kind), ...corners];
}

function path(way, className) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  element.setAttribute('d', way);
  element.setAttribute('class', className);
  return element;
}
