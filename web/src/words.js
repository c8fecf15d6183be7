// SPDX-License-Identifier: Apache-2.0
// Numbers and names as people read them.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(n) {
	let u = 0;

	while (n >= 1024 && u < UNITS.length - 1) {
		n /= 1024;
		u++;
	}
	return `${n >= 100 || u === 0 ? Math.round(n) : n.toFixed(1)} ${UNITS[u]}`;
}

export const rate = (n) => `${bytes(n)}/s`;
export const percent = (n) => `${n >= 10 ? Math.round(n) : n.toFixed(1)} %`;
export const walls = {container: 'container', vm: 'VM'};
export const short = (id) => id.replace(/^sha256:/, '').slice(0, 12);

export function when(seconds) {
	const ago = Date.now() / 1000 - seconds;
	const steps = [[86400 * 365, 'year'], [86400 * 30, 'month'], [86400, 'day'], [3600, 'hour'], [60, 'minute']];

	for (const [length, name] of steps)
		if (ago >= length) {
			const n = Math.floor(ago / length);

			return `${n} ${name}${n > 1 ? 's' : ''} ago`;
		}
	return 'just now';
}
