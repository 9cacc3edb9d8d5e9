import { picksFromCandidates } from 'cryoet-picks';

const status = document.querySelector('#status');
const threshold = document.querySelector('#threshold');
const count = document.querySelector('#count');
const picture = document.querySelector('#picture').getContext('2d');

const search = new Worker(new URL('./search.worker.js', import.meta.url), { type: 'module' });
search.onmessage = ({ data }) => {
  if ('progress' in data) status.textContent = data.progress;
  else show(data.candidates);
};
search.onerror = ({ message }) => {
  status.textContent = `The search failed: ${message}`;
};

/** Lets the slider move: picks are made of candidates anew, without the network. */
function show(candidates) {
  threshold.min = String(Math.max(...Object.values(candidates.lowestThresholds)));
  threshold.value = String(Math.max(...Object.values(candidates.thresholds)));
  threshold.disabled = false;
  status.textContent = crossOriginIsolated ? 'Searched in threads.' : 'Searched in one thread.';
  threshold.oninput = () => draw(candidates, Number(threshold.value));
  draw(candidates, Number(threshold.value));
}

function draw(candidates, thresholds) {
  const picks = picksFromCandidates(candidates, { thresholds });
  count.textContent = `${picks.length} particles`;
  const { width, height } = picture.canvas;
  const { shape, voxelSize } = candidates.grid;
  const scale = width / (shape[2] * voxelSize[2]);
  picture.clearRect(0, 0, width, height);
  for (const { object, position } of picks) {
    picture.strokeStyle = `hsl(${candidates.objects.indexOf(object) * 60} 80% 45%)`;
    picture.beginPath();
    picture.arc(position.x * scale, position.y * scale, 5, 0, 2 * Math.PI);
    picture.stroke();
  }
}
