// Small charts of the last 5 minutes, one canvas each.
const SPAN_S = 300;

class Chart {
  constructor(canvas) {
    this.canvas = canvas;
    this.lines = []; // {points: [[time, value]], color}
  }

  // The newest point is at the right edge. A missing value leaves a gap.
  draw(lines, now) {
    const scale = window.devicePixelRatio || 1;
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight;
    if (!width) return;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const pen = this.canvas.getContext('2d');
    pen.scale(scale, scale);
    const values = lines.flatMap((line) => line.points.map((point) => point[1])).filter(isNumber);
    if (!values.length) return;
    const top = Math.max(...values) * 1.15 || 1;
    for (const line of lines) {
      const places = line.points.filter((point) => point[0] > now - SPAN_S).map(([time, value]) =>
        isNumber(value) ? [width - ((now - time) / SPAN_S) * width, height - 2 - (value / top) * (height - 5)] : null);
      this.stroke(pen, places, line.color, lines.length === 1, height);
    }
  }

  stroke(pen, places, color, filled, height) {
    for (const part of runs(places)) {
      pen.beginPath();
      part.forEach(([x, y], index) => (index ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      pen.strokeStyle = color;
      pen.lineWidth = 1.6;
      pen.lineJoin = 'round';
      pen.stroke();
      if (!filled) continue;
      pen.lineTo(part[part.length - 1][0], height);
      pen.lineTo(part[0][0], height);
      pen.fillStyle = color + '22';
      pen.fill();
    }
  }
}

// The parts of a list between its gaps.
function runs(places) {
  const found = [[]];
  for (const place of places) {
    if (place) found[found.length - 1].push(place);
    else found.push([]);
  }
  return found.filter((part) => part.length > 1);
}

const FIGURES = [
  {name: 'Frames per second', key: 'fps', digits: 1, unit: ''},
  {name: 'Latency p95, p50', key: 'latency_p95', digits: 1, unit: 'ms', also: 'latency_p50'},
  {name: 'Power', key: 'power_w', digits: 2, unit: 'W'},
  {name: 'FPS per watt', key: 'fps_per_watt', digits: 2, unit: ''},
  {name: 'Temperature', key: 'temperature_c', digits: 0, unit: '°C'},
  {name: 'Objects in view', key: 'objects', digits: 0, unit: ''},
];

class Figures {
  constructor(place) {
    this.tiles = FIGURES.map((figure) => {
      const card = make('div', 'card figure');
      const value = make('p');
      const canvas = make('canvas');
      canvas.setAttribute('aria-hidden', 'true');
      card.append(make('h3', '', figure.name), value, canvas);
      card.dataset.key = figure.key;
      place.append(card);
      return {...figure, value, chart: new Chart(canvas)};
    });
  }

  // `objects`: a line for each stream.
  show(history, objects, now) {
    for (const tile of this.tiles) {
      if (tile.key === 'objects') {
        const last = objects.map((line) => line.points[line.points.length - 1]).filter(Boolean);
        this.tile(tile, last.length ? last.reduce((sum, point) => sum + point[1], 0) : null, objects, now);
      } else {
        const lines = [tile.key, tile.also].filter(Boolean).map((key, index) =>
          ({points: history.map((point) => [point.time, point[key]]), color: colors[index]}));
        const last = lines[0].points[history.length - 1];
        this.tile(tile, last ? last[1] : null, lines, now);
      }
    }
  }

  tile(tile, value, lines, now) {
    tile.value.textContent = rounded(value, tile.digits);
    tile.value.className = isNumber(value) ? '' : 'none';
    if (isNumber(value) && tile.unit) tile.value.append(make('small', '', ` ${tile.unit}`));
    tile.chart.draw(lines, now);
  }
}
