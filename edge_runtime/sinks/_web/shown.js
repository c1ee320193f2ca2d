// Makes elements. Text from outside becomes text, never HTML.
const byId = (id) => document.getElementById(id);

function make(name, className = '', text = '') {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);
const rounded = (value, digits) => (isNumber(value) ? value.toFixed(digits) : 'n/a');
const clock = (unix) => new Date(unix * 1000).toLocaleTimeString();
const total = (value) =>
  isNumber(value) ? value : Object.values(value || {}).filter(isNumber).reduce((sum, one) => sum + one, 0);

function counted(counts) {
  return Object.entries(counts || {}).map(([name, count]) => `${name} ${count}`).join(', ');
}

const colors = ['#2f81f7', '#e3702a', '#1f9d68', '#b455d6', '#c9a000', '#d6456b', '#2aa5b8', '#7a7f87'];
