// SPDX-License-Identifier: Apache-2.0
// Requests, all below the page's own address, whose last directory is the secret.

export class Refused extends Error {}

async function ask(method, path, body) {
	const answer = await fetch(path, {
		method,
		headers: body === undefined ? {} : {'Content-Type': 'application/json'},
		body: body === undefined ? undefined : JSON.stringify(body),
	});

	if (!answer.ok && answer.status !== 304) {
		const text = await answer.text();
		let why = text;

		try {
			why = JSON.parse(text).message;
		} catch {
			// Not everything that answers is the engine.
		}
		throw new Refused(why || `${method} ${path}: ${answer.status}`);
	}
	return answer;
}

export const get = async (path) => (await ask('GET', path)).json();
export const post = async (path, body) => {
	const text = await (await ask('POST', path, body)).text();

	return text ? JSON.parse(text) : null;
};
export const remove = (path) => ask('DELETE', path);
export const exists = async (path) => (await fetch(path, {method: 'HEAD'})).ok;

export const instance = (id, rest = '') => `api/containers/${encodeURIComponent(id)}${rest}`;

// The bytes of an answer as they come, until it ends or `signal` says so.
export async function* stream(path, signal) {
	const reader = (await fetch(path, {signal})).body.getReader();

	for (;;) {
		const {value, done} = await reader.read();

		if (done)
			return;
		yield value;
	}
}

export function socket(path) {
	const url = new URL(path, location.href);

	url.protocol = 'ws:';
	const ws = new WebSocket(url);

	ws.binaryType = 'arraybuffer';
	return ws;
}
