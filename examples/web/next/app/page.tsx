'use client';

import { type Candidates, picksFromCandidates } from 'cryoet-picks';
import { useEffect, useMemo, useState } from 'react';
import type { Message } from './search.worker.ts';

export default function Page() {
  const [status, setStatus] = useState('Loading …');
  const [candidates, setCandidates] = useState<Candidates>();
  const [threshold, setThreshold] = useState(0.5);

  useEffect(() => {
    const search = new Worker(new URL('./search.worker.ts', import.meta.url), { type: 'module' });
    search.onmessage = ({ data }: MessageEvent<Message>) => {
      if ('progress' in data) return setStatus(data.progress);
      setStatus(crossOriginIsolated ? 'Searched in threads.' : 'Searched in one thread.');
      setThreshold(Math.max(...Object.values(data.candidates.thresholds)));
      setCandidates(data.candidates);
    };
    search.onerror = ({ message }) => setStatus(`The search failed: ${message}`);
    return () => search.terminate();
  }, []);

  // Picks are made of candidates anew, without the network.
  const picks = useMemo(
    () => candidates && picksFromCandidates(candidates, { thresholds: threshold }),
    [candidates, threshold],
  );
  if (candidates === undefined || picks === undefined)
    return (
      <p id="status" role="status">
        {status}
      </p>
    );

  const { shape, voxelSize } = candidates.grid;
  return (
    <>
      <p id="status" role="status">
        {status}
      </p>
      <label>
        Minimum score{' '}
        <input
          id="threshold"
          type="range"
          min={Math.max(...Object.values(candidates.lowestThresholds))}
          max={1}
          step={0.01}
          value={threshold}
          onChange={({ target }) => setThreshold(Number(target.value))}
        />
      </label>
      <p>
        <output id="count">{picks.length} particles</output>
      </p>
      <svg viewBox={`0 0 ${shape[2] * voxelSize[2]} ${shape[1] * voxelSize[1]}`} width={512} height={512}>
        <title>Particles from above</title>
        {picks.map(({ object, position: { x, y, z } }) => (
          <circle
            key={`${object} ${x} ${y} ${z}`}
            cx={x}
            cy={y}
            r={13}
            fill="none"
            stroke={`hsl(${candidates.objects.indexOf(object) * 60} 80% 45%)`}
            strokeWidth={4}
          />
        ))}
      </svg>
    </>
  );
}
