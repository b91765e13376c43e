// What a page does beyond what works without a script: search while typing, quotes that move the player, one clip after the other.
'use strict';
document.documentElement.classList.add('js');
const loaded = new Map();

for (const field of document.querySelectorAll('[data-timezone]')) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || '';
}

const player = document.querySelector('#listen audio');
for (const link of player ? document.querySelectorAll('[data-seek]') : []) {
  link.addEventListener('click', (event) => {
    event.preventDefault();
    seek(player, Number(link.dataset.seek));
    player.play();
  });
}

function seek(audio, seconds) {
  if (audio.readyState >= 1) {
    audio.currentTime = seconds;
  } else {
    audio.addEventListener('loadedmetadata', () => { audio.currentTime = seconds; }, {once: true});
  }
}

const clips = [...document.querySelectorAll('.clips audio')];
const playAll = document.querySelector('[data-play-all]');
if (playAll && clips.length) {
  const status = document.querySelector('[data-play-status]');
  let at = -1;
  const stop = () => {
    if (at >= 0) clips[at].pause();
    at = -1;
    playAll.textContent = 'Play all';
    playAll.setAttribute('aria-pressed', 'false');
    status.textContent = '';
  };
  const start = (number) => {
    at = number;
    if (at >= clips.length) { at = -1; stop(); return; }
    const audio = clips[at];
    playAll.textContent = 'Stop';
    playAll.setAttribute('aria-pressed', 'true');
    status.textContent = `${at + 1} of ${clips.length}`;
    seek(audio, Number(audio.dataset.start));
    audio.play().catch(() => { if (at === number) start(number + 1); });
    audio.scrollIntoView({block: 'center'});
  };
  playAll.addEventListener('click', () => { if (at < 0) start(0); else stop(); });
  clips.forEach((audio, number) => {
    const next = () => { if (at === number) { audio.pause(); start(number + 1); } };
    audio.addEventListener('ended', next);
    audio.addEventListener('timeupdate', () => {
      if (audio.dataset.end && audio.currentTime >= Number(audio.dataset.end)) next();
    });
  });
}
for (const audio of document.querySelectorAll('audio')) {
  audio.addEventListener('play', () => {
    for (const other of document.querySelectorAll('audio')) if (other !== audio) other.pause();
  });
}

const form = document.querySelector('form[data-search]');
if (form) {
  const field = form.elements.q;
  const results = document.getElementById('results');
  const started = results.innerHTML;
  let timer, request, shown = field.value.trim();
  const show = async () => {
    const query = field.value.trim();
    if (query === shown) return;
    shown = query;
    if (request) request.abort();
    history.replaceState(null, '', query ? `?q=${encodeURIComponent(query)}` : location.pathname);
    if (!query) { results.innerHTML = started; return; }
    request = new AbortController();
    try {
      results.innerHTML = form.dataset.static === 'yes'
        ? await searchCopy(form.dataset.search, query)
        : await askServer(form.dataset.search, query, request.signal);
    } catch (error) {
      if (error.name !== 'AbortError') results.textContent = 'The search cannot be reached; press Search to try again.';
    }
  };
  field.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(show, 120); });
  form.addEventListener('submit', (event) => {
    if (form.dataset.static === 'yes') { event.preventDefault(); shown = null; show(); }
  });
  if (form.dataset.static === 'yes') {
    const asked = new URLSearchParams(location.search).get('q');
    if (asked) { field.value = asked; shown = null; show(); }
  }
  if (!field.value) field.focus();
}

async function askServer(address, query, signal) {
  const answer = await fetch(`${address}?q=${encodeURIComponent(query)}`, {signal});
  if (answer.status === 429) return '<p class="muted">Too many searches from your network; wait a minute.</p>';
  if (!answer.ok) throw new Error(answer.status);
  return answer.text();
}

// A static copy: words are looked up in small files, one per first two letters, that hold the numbers of the insights they stand in.
async function searchCopy(folder, query) {
  const words = fold(query).match(/[\p{L}\p{N}]+/gu) || [];
  if (!words.length) return '<p class="muted">Nothing found.</p>';
  let found = null;
  for (const [place, word] of words.slice(0, 8).entries()) {
    const part = await load(`${folder}words/${shard(word)}.json`);
    const last = place === words.length - 1;
    const numbers = new Set();
    for (const [known, list] of Object.entries(part)) {
      if (known === word || (last && word.length > 1 && known.startsWith(word))) list.forEach((number) => numbers.add(number));
    }
    found = found ? new Set([...found].filter((number) => numbers.has(number))) : numbers;
  }
  const numbers = [...found].sort((a, b) => a - b);
  const shown = await Promise.all(numbers.slice(0, 40).map(async (number) => {
    const part = await load(`${folder}items/${Math.floor(number / 100)}.json`);
    return item(folder, part[number % 100]);
  }));
  const count = numbers.length === 1 ? '1 insight' : `${numbers.length} insights`;
  return `<p class="muted count">${numbers.length ? count : 'Nothing found.'}${numbers.length > 40 ? ', the newest 40' : ''}</p>${shown.join('')}`;
}

function item(folder, [id, headline, date, day, show, speaker]) {
  const by = speaker ? `<bdi>${escape(speaker)}</bdi> on ` : '';
  return `<article class="small"><h2 class="headline"><a href="${folder}../insights/${encodeURIComponent(id)}/" dir="auto">${escape(headline)}</a></h2>`
    + `<p class="source"><a href="${folder}../days/${encodeURIComponent(day)}/">${escape(date)}</a> · ${by}<bdi>${escape(show)}</bdi></p></article>`;
}

function load(address) {
  if (!loaded.has(address)) {
    loaded.set(address, fetch(address).then((answer) => (answer.ok ? answer.json() : {})));
  }
  return loaded.get(address);
}
function fold(text) { return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase(); }
function shard(word) {
  const plain = word.slice(0, 2);
  return /^[a-z0-9]{1,2}$/.test(plain) ? plain : 'other';
}
function escape(text) {
  return String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
