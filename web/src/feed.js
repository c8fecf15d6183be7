// SPDX-License-Identifier: Apache-2.0
// What runs and what it uses: the server's line a second, kept as curves.
import {stream} from './api.js';

export const KEPT = 90; // points of a curve, a second each

const COUNTERS = ['net_rx', 'net_tx', 'disk_read', 'disk_write'];

// Two readings of counters are one point of each curve.
export function point(before, now) {
	const seconds = (now.at - before.at) / 1000;
	const out = {at: now.at, memory: now.memory};

	if (!(seconds > 0))
		return null;
	out.cpu = Math.max(0, (now.cpu_ns - before.cpu_ns) / 1e7 / seconds);
	for (const c of COUNTERS)
		out[c] = Math.max(0, (now[c] - before[c]) / seconds);
	return out;
}

// The curves of the instances in a line, from those before it.
export function advance(curves, line) {
	const next = new Map();

	for (const i of line.instances) {
		const old = curves.get(i.id) || {last: null, points: []};
		const p = old.last && i.at ? point(old.last, i) : null;

		next.set(i.id, {
			last: i.at ? i : null,
			points: i.at ? (p ? [...old.points, p].slice(-KEPT) : old.points) : [],
		});
	}
	return next;
}

// Calls `on` with each line; `lost` when the server does not answer, which is asked again.
export async function follow(on, lost, signal) {
	for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, 8000)) {
		let text = '';
		const decoder = new TextDecoder();

		try {
			for await (const bytes of stream('feed', signal)) {
				const lines = (text + decoder.decode(bytes, {stream: true})).split('\n');

				text = lines.pop();
				for (const l of lines)
					on(JSON.parse(l));
				wait = 500;
			}
		} catch (error) {
			if (signal.aborted)
				return;
		}
		lost();
		await new Promise((resolve) => setTimeout(resolve, wait));
	}
}
