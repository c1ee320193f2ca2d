// Puts together what the server tells.
const MOST_EVENTS = 50;

class Board {
  constructor() {
    this.state = {streams: [], history: [], in_view: {}, counts: {}, sources: {}, events: [], status: {}};
    this.skew = 0; // seconds that the server's clock is ahead
    this.cards = new Map();
    this.figures = new Figures(byId('figures'));
    this.editor = new Editor();
    this.pictures = new Pictures((number, picture) => this.picture(number, picture));
    this.listen();
    setInterval(() => this.draw(), 1000);
    window.addEventListener('resize', () => this.draw());
  }

  listen() {
    const link = byId('link');
    const source = new EventSource('/events');
    const on = (name, take) => source.addEventListener(name, (event) => take(JSON.parse(event.data)));
    source.onopen = () => { link.textContent = 'live'; link.className = 'good'; };
    source.onerror = () => {
      link.textContent = 'no connection';
      link.className = '';
      this.check();
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.listen(), 2000);
    };
    on('state', (state) => this.begin(state));
    on('status', (data) => { this.state.status = data.status; this.keep(this.state.history, data.point, (p) => p.time); });
    on('source', (data) => { this.state.sources[data.source] = data.data; this.about(); });
    on('counts', (data) => {
      this.state.counts[data.source] = data.data;
      if ((this.state.sources[data.source] || {}).state === 'removed') delete this.state.sources[data.source];
      this.keep(this.state.in_view[data.source] ||= [], data.point, (point) => point[0]);
      this.about();
    });
    on('object', (data) => this.happened(data));
  }

  // After a restart of the server the session is over, and the page must ask for the token again.
  async check() {
    try {
      if ((await fetch('/state.json')).status === 401) window.location.reload();
    } catch (error) {
      // the server is away: the event source tries again
    }
  }

  begin(state) {
    const known = this.state.streams.map((stream) => stream.name).join();
    this.state = state;
    this.skew = state.time - Date.now() / 1000;
    byId('leave').hidden = !state.login;
    byId('no-streams').hidden = state.streams.length > 0;
    const listed = new Set(state.streams.map((stream) => stream.number));
    for (const [number, card] of this.cards) {
      if (!listed.has(number)) {
        card.card.remove();
        this.cards.delete(number);
      }
    }
    for (const stream of state.streams) {
      if (!this.cards.has(stream.number)) this.cards.set(stream.number, this.card(stream));
    }
    if (known !== state.streams.map((stream) => stream.name).join()) this.pictures.restart();
    byId('events').replaceChildren(...state.events.map((event) => this.row(event)).reverse());
    byId('no-events').hidden = state.events.length > 0;
    this.about();
    this.draw();
  }

  keep(points, point, time) {
    if (!points.length || time(points[points.length - 1]) < time(point)) points.push(point);
    while (points.length > SPAN_S) points.shift();
  }

  card(stream) {
    const card = make('article', 'card stream');
    const bar = make('div', 'bar');
    const title = make('h3', '', stream.source);
    title.title = stream.source;
    const edit = make('button', '', 'Zones');
    edit.setAttribute('aria-label', `Lines and zones of ${stream.source}`);
    edit.onclick = () => this.editor.open(stream);
    const found = {card, canvas: make('canvas'), state: make('span', 'state'), about: make('p', 'about'), stream};
    found.canvas.setAttribute('role', 'img');
    found.canvas.setAttribute('aria-label', `Live picture of ${stream.source}`);
    found.state.hidden = true;
    const dot = make('span', 'dot'); // the colour of its line in the chart of objects
    dot.style.color = colors[stream.number % colors.length];
    bar.append(dot, title, found.state, edit);
    card.append(found.canvas, bar, found.about);
    byId('streams').append(card);
    return found;
  }

  picture(number, picture) {
    const card = this.cards.get(number);
    if (card) paint(card.canvas, picture);
    this.editor.picture(number, picture);
  }

  about() {
    const listed = Object.fromEntries((this.state.status.sources || []).map((source) => [source.name, source]));
    for (const card of this.cards.values()) {
      const name = card.stream.source;
      const state = (this.state.sources[name] || listed[name] || {}).state;
      card.state.hidden = !state;
      card.state.textContent = state || '';
      card.state.className = `state ${{live: 'good', lost: 'bad', refused: 'bad', failed: 'bad'}[state] || ''}`;
      card.about.textContent = seen(this.state.counts[name]);
    }
  }

  happened(event) {
    if (event.event === 'update') {
      const rows = event.picture ? document.querySelectorAll(`[data-key="${CSS.escape(event.key)}"]`) : [];
      for (const row of rows) row.firstChild.replaceWith(this.image(event));
      return;
    }
    if (this.state.events.some((other) => other.number === event.number)) return;
    this.state.events.push(event);
    while (this.state.events.length > MOST_EVENTS) this.state.events.shift();
    const list = byId('events');
    list.prepend(this.row(event));
    while (list.children.length > MOST_EVENTS) list.lastChild.remove();
    byId('no-events').hidden = true;
  }

  row(event) {
    const row = make('li', 'card event');
    row.dataset.key = event.key;
    const text = make('div');
    text.append(make('b', '', headline(event)), make('span', '', `${clock(event.time)} · ${event.source}`));
    row.append(this.image(event), text);
    return row;
  }

  image(event) {
    if (!event.picture) return make('div', 'blank');
    const image = make('img');
    image.src = address(event);
    image.alt = '';
    return image;
  }

  draw() {
    if (document.hidden) return;
    const {frames, dropped} = this.state.status;
    byId('run').textContent = isNumber(frames) ? `${frames} frames, ${total(dropped)} dropped` : '';
    const lines = this.state.streams.map((stream) =>
      ({points: this.state.in_view[stream.source] || [], color: colors[stream.number % colors.length]}));
    this.figures.show(this.state.history, lines, Date.now() / 1000 + this.skew);
  }
}

const address = (event) => `/picture/${encodeURIComponent(event.key)}.jpg?v=${event.number}`;

function headline(event) {
  const name = [event.label || 'object', event.tracker_id ? `#${event.tracker_id}` : ''].join(' ').trim();
  if (event.event === 'crossing') return `${name} crossed ${event.line || 'a line'}, ${event.direction || ''}`;
  if (event.event === 'end') return `${name} left` + (isNumber(event.duration_s) ? ` after ${rounded(event.duration_s, 1)} s` : '');
  return `${name} appeared`;
}

function seen(counts) {
  if (!counts) return '';
  const parts = [counted(counts.in_view) || 'nothing in view'];
  for (const [name, line] of Object.entries(counts.lines || {})) {
    parts.push(`${name}: ${total(line.in)} in, ${total(line.out)} out`);
  }
  for (const [name, count] of Object.entries(counts.zones || {})) parts.push(`${name}: ${total(count)}`);
  return parts.join(' · ');
}

new Board();
