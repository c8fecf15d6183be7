// SPDX-License-Identifier: Apache-2.0
// The page: three places, one line of the server a second, one place for messages.
import {render} from 'preact';
import {useCallback, useEffect, useState} from 'preact/hooks';
import {get} from './api.js';
import {Comparison} from './comparison.jsx';
import {Create} from './create.jsx';
import {Detail} from './detail.jsx';
import {advance, follow} from './feed.js';
import {Images} from './images.jsx';
import {Instances} from './instances.jsx';
import {letStyles} from './terminal.jsx';
import {bytes} from './words.js';

const PLACES = [['instances', 'Instances'], ['images', 'Images'], ['comparison', 'Comparison']];

function place() {
	const [, where = 'instances', what = ''] = location.hash.split('/');

	return {where: PLACES.some(([p]) => p === where) ? where : 'instances', what: decodeURIComponent(what)};
}

function usePlace() {
	const [at, setAt] = useState(place());

	useEffect(() => {
		const change = () => setAt(place());

		addEventListener('hashchange', change);
		return () => removeEventListener('hashchange', change);
	}, []);
	return at;
}

function useFeed() {
	const [state, setState] = useState({list: [], host: null, curves: new Map(), there: null});

	useEffect(() => {
		const stop = new AbortController();

		follow(
			(line) => setState((old) => ({list: line.instances, host: line.host, curves: advance(old.curves, line), there: true})),
			() => setState((old) => ({...old, there: false})),
			stop.signal,
		);
		return () => stop.abort();
	}, []);
	return state;
}

function useImages(where) {
	const [images, setImages] = useState([]);

	useEffect(() => {
		get('api/images/json').then(setImages, () => {});
	}, [where]);
	return images;
}

function Head({where, feed, version}) {
	const n = feed.list.filter((i) => i.status === 'running').length;

	return (
		<header>
			<p class="brand">caisson <span class="soft">{version}</span></p>
			<nav aria-label="Places">
				{PLACES.map(([key, label]) => <a href={`#/${key}`} aria-current={key === where ? 'page' : undefined}>{label}</a>)}
			</nav>
			<p class="soft" role="status">
				{feed.there === false ? 'The server does not answer.' : feed.host ? `${n} of ${feed.list.length} run; ${feed.host.cpus} processors, ${bytes(feed.host.memory)}` : 'Connecting …'}
			</p>
		</header>
	);
}

function App() {
	const {where, what} = usePlace();
	const feed = useFeed();
	const images = useImages(where);
	const [version, setVersion] = useState('');
	const [message, setMessage] = useState(null);
	const say = useCallback((text, bad = false) => setMessage({text, bad}), []);
	const selected = feed.list.find((i) => i.name === what || i.id === what);

	useEffect(() => {
		get('api/version').then((v) => setVersion(v.Version), () => {});
	}, []);
	return [
		<Head where={where} feed={feed} version={version} />,
		<main>
			<h1>{PLACES.find(([p]) => p === where)[1]}</h1>
			<p class={message?.bad ? 'message bad' : 'message'} role={message?.bad ? 'alert' : 'status'}>{message?.text}</p>
			{where === 'instances' && <Instances list={feed.list} curves={feed.curves} selected={selected?.name} />}
			{where === 'instances' && <Create images={images} say={say} />}
			{where === 'instances' && selected && <Detail key={selected.id} i={selected} curve={feed.curves.get(selected.id) || {points: [], last: null}} say={say} />}
			{where === 'images' && <Images images={images} />}
			{where === 'comparison' && <Comparison />}
		</main>,
	];
}

letStyles();
render(<App />, document.getElementById('app'));
