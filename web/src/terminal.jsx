// SPDX-License-Identifier: Apache-2.0
// A shell in an instance: an exec of the Engine API, its stdio on a WebSocket.
import {FitAddon} from '@xterm/addon-fit';
import {Terminal as Xterm} from '@xterm/xterm';
import {useEffect, useRef, useState} from 'preact/hooks';
import {instance, post, socket} from './api.js';

const SHELL = ['/bin/sh', '-c', 'for s in /bin/bash /bin/ash /bin/sh; do [ ! -x $s ] || exec $s; done; exec sh'];

// The terminal writes its rules into style elements; the page's policy knows ours by their nonce.
export function letStyles() {
	const nonce = document.querySelector('meta[name=style-nonce]').content;
	const make = document.createElement.bind(document);

	document.createElement = (name, options) => {
		const element = make(name, options);

		if (String(name).toLowerCase() === 'style')
			element.nonce = nonce;
		return element;
	};
}

async function open(id, term, say) {
	const {Id: exec} = await post(instance(id, '/exec'), {
		AttachStdin: true,
		AttachStdout: true,
		AttachStderr: true,
		Tty: true,
		Env: ['TERM=xterm-256color'],
		Cmd: SHELL,
		ConsoleSize: [term.rows, term.cols],
	});
	const ws = socket(`api/exec/${exec}/ws`);
	const encoder = new TextEncoder();

	ws.onopen = () => say('connected');
	ws.onmessage = (m) => term.write(new Uint8Array(m.data));
	ws.onclose = () => say('ended');
	term.onData((text) => ws.readyState === WebSocket.OPEN && ws.send(encoder.encode(text)));
	term.onResize(({rows, cols}) => {
		if (ws.readyState === WebSocket.OPEN)
			post(`api/exec/${exec}/resize?h=${rows}&w=${cols}`).catch(() => {});
	});
	return ws;
}

export function Terminal({id, name}) {
	const place = useRef(null);
	const [state, setState] = useState('');
	const [round, setRound] = useState(0);

	useEffect(() => {
		const dark = matchMedia('(prefers-color-scheme: dark)').matches;
		const term = new Xterm({
			fontSize: 14,
			cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
			screenReaderMode: true,
			theme: dark ? {background: '#0d1117', foreground: '#e6edf3'} : {background: '#ffffff', foreground: '#1b1f24', cursor: '#1b1f24', selectionBackground: '#b6d4fe'},
		});
		const fit = new FitAddon();
		let ws = null;
		let gone = false;

		term.loadAddon(fit);
		term.open(place.current);
		fit.fit();
		// Tab belongs to the shell; this key gives the keyboard back to the page.
		term.attachCustomKeyEventHandler((key) => {
			if (key.type !== 'keydown' || key.key !== 'F6')
				return true;
			document.getElementById('leave-terminal').focus();
			return false;
		});
		const watch = new ResizeObserver(() => fit.fit());

		watch.observe(place.current);
		setState('connecting');
		open(id, term, (s) => !gone && setState(s)).then(
			(opened) => {
				ws = opened;
				if (gone)
					ws.close();
				else
					term.focus();
			},
			(error) => !gone && setState(error.message),
		);
		return () => {
			gone = true;
			watch.disconnect();
			ws?.close();
			term.dispose();
		};
	}, [id, round]);

	return (
		<div class="terminal">
			<p class="soft">
				<span role="status">Shell in {name}: {state}.</span> F6 leaves it.{' '}
				<button type="button" id="leave-terminal" onClick={() => setRound(round + 1)}>New shell</button>
			</p>
			<div class="screen" ref={place} />
		</div>
	);
}
