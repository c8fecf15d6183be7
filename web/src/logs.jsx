// SPDX-License-Identifier: Apache-2.0
// What an instance wrote, as it writes it.
import {useEffect, useRef, useState} from 'preact/hooks';
import {instance, stream} from './api.js';

const KEPT = 2000; // lines

// Docker's stream of an instance without a terminal: 8 bytes of head before each piece, whose last four are its length.
export function* pieces(state, bytes) {
	let data = state.rest ? new Uint8Array([...state.rest, ...bytes]) : bytes;

	while (data.length >= 8) {
		const length = new DataView(data.buffer, data.byteOffset).getUint32(4);

		if (data.length < 8 + length)
			break;
		yield data.subarray(8, 8 + length);
		data = data.subarray(8 + length);
	}
	state.rest = data.length ? data.slice() : null;
}

// Colours and cursors of a terminal are not for this list.
const plain = (text) => text.replace(/\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)/g, '').replace(/[\x00-\x08\x0b-\x1f\x7f]/g, '');

export function Logs({id, tty, runs}) {
	const [lines, setLines] = useState([]);
	const box = useRef(null);
	const atEnd = useRef(true);

	useEffect(() => {
		const stop = new AbortController();
		const state = {rest: null};
		const decoder = new TextDecoder();
		let open = '';

		setLines([]);
		const add = (bytes) => {
			const parts = (open + decoder.decode(bytes, {stream: true})).split('\n');

			open = parts.pop();
			if (parts.length)
				setLines((old) => [...old, ...parts.map(plain)].slice(-KEPT));
		};
		(async () => {
			try {
				const path = instance(id, '/logs?stdout=1&stderr=1&follow=1&tail=500');

				for await (const bytes of stream(path, stop.signal))
					for (const piece of tty ? [bytes] : pieces(state, bytes))
						add(piece);
				if (open)
					setLines((old) => [...old, plain(open)]);
			} catch (error) {
				if (!stop.signal.aborted)
					setLines((old) => [...old, `[${error.message}]`]);
			}
		})();
		return () => stop.abort();
	}, [id, tty, runs]);
	useEffect(() => {
		if (atEnd.current && box.current)
			box.current.scrollTop = box.current.scrollHeight;
	}, [lines]);
	const scrolled = () => {
		const b = box.current;

		atEnd.current = b.scrollHeight - b.scrollTop - b.clientHeight < 8;
	};

	return (
		<pre class="logs" ref={box} onScroll={scrolled} tabIndex={0} role="log" aria-label="Log">
			{lines.length ? lines.join('\n') : 'Nothing was written yet.'}
		</pre>
	);
}
