// SPDX-License-Identifier: Apache-2.0
// A curve of the last minute and a half, with its figure in words beside it: the picture is never the only place.
import {KEPT} from './feed.js';

const WIDTH = 240;
const HEIGHT = 48;

// From the right edge on: a curve grows in from "now".
function path(points, key, top) {
	return points
		.map((p, i) => {
			const x = WIDTH - (points.length - 1 - i) * (WIDTH / (KEPT - 1));
			const y = HEIGHT - 2 - (p[key] / top) * (HEIGHT - 4);

			return `${i ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
		})
		.join('');
}

export function Curve({points, lines, least, small}) {
	const top = Math.max(least, ...points.flatMap((p) => lines.map((l) => p[l.key])));

	return (
		<svg class={small ? 'curve small' : 'curve'} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
			{lines.map((l, i) => (
				<path d={path(points, l.key, top)} class={i ? 'second' : 'first'} vector-effect="non-scaling-stroke" />
			))}
		</svg>
	);
}

// lines: {key, label}; the first is drawn whole, the second broken.
export function Chart({title, points, lines, least, say, limit}) {
	const last = points[points.length - 1];
	const most = (l) => Math.max(0, ...points.map((p) => p[l.key]));

	return (
		<figure class="chart">
			<figcaption>{title}</figcaption>
			<Curve points={points} lines={lines} least={least} />
			<dl>
				{lines.map((l, i) => (
					<div>
						<dt class={i ? 'second' : 'first'}>{l.label}</dt>
						<dd>
							{last ? say(last[l.key]) : '–'}
							<span class="soft">{last ? ` (most ${say(most(l))}${limit ? `, of ${limit}` : ''})` : ''}</span>
						</dd>
					</div>
				))}
			</dl>
		</figure>
	);
}
