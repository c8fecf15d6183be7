// SPDX-License-Identifier: Apache-2.0
// One instance: its curves, its log, a shell in it, and what can be done with it.
import {useEffect, useState} from 'preact/hooks';
import {get, instance, post, remove} from './api.js';
import {Chart} from './curve.jsx';
import {Logs} from './logs.jsx';
import {Terminal} from './terminal.jsx';
import {bytes, percent, rate, short, walls} from './words.js';

function Charts({points, last}) {
	const limit = last?.memory_limit ? bytes(last.memory_limit) : '';

	return (
		<div class="charts">
			<Chart title="CPU" points={points} lines={[{key: 'cpu', label: 'of one processor'}]} least={5} say={percent} />
			<Chart title="Memory" points={points} lines={[{key: 'memory', label: 'in use'}]} least={1 << 20} say={bytes} limit={limit} />
			<Chart title="Network" points={points} lines={[{key: 'net_rx', label: 'received'}, {key: 'net_tx', label: 'sent'}]} least={1024} say={rate} />
			<Chart title="Disk" points={points} lines={[{key: 'disk_read', label: 'read'}, {key: 'disk_write', label: 'written'}]} least={1024} say={rate} />
		</div>
	);
}

function Facts({inspect}) {
	const networks = Object.entries(inspect.NetworkSettings?.Networks || {});
	const rows = [
		['Id', short(inspect.Id)],
		['Image', `${inspect.Config.Image} (${short(inspect.Image || '')})`],
		['Command', [inspect.Path, ...(inspect.Args || [])].join(' ')],
		['Created', inspect.Created],
		['Restart policy', inspect.HostConfig.RestartPolicy?.Name || 'no'],
		['Networks', networks.map(([n, v]) => `${n} ${v.IPAddress || ''}`).join(', ') || 'none'],
		['Mounts', (inspect.Mounts || []).map((m) => `${m.Name || m.Source} on ${m.Destination}`).join(', ') || 'none'],
	];

	return (
		<dl class="facts">
			{rows.map(([k, v]) => <div><dt>{k}</dt><dd>{v}</dd></div>)}
		</dl>
	);
}

function actions(i) {
	const path = (verb) => instance(i.id, verb);
	const runs = i.status === 'running';

	return [
		{label: 'Start', can: i.status === 'created' || i.status === 'exited', run: () => post(path('/start'))},
		{label: 'Stop', can: runs || i.status === 'restarting', run: () => post(path('/stop'))},
		{label: 'Restart', can: runs, run: () => post(path('/restart'))},
		i.status === 'paused'
			? {label: 'Unpause', can: true, run: () => post(path('/unpause'))}
			: {label: 'Pause', can: runs, run: () => post(path('/pause'))},
		{label: 'Clone', can: true, done: (a) => `Cloned as ${a.names.join(', ')}.`, run: () => post(`instances/${encodeURIComponent(i.id)}/clone`)},
		{label: 'Snapshot', can: true, done: (a) => `Snapshot ${a.name} was made.`, run: () => post(`instances/${encodeURIComponent(i.id)}/snapshot`)},
	];
}

function Buttons({i, say}) {
	const [busy, setBusy] = useState('');
	const [sure, setSure] = useState(false);
	const run = async (a) => {
		setBusy(a.label);
		say(`${a.label}: ${i.name} …`);
		try {
			const answer = await a.run();

			say(a.done ? a.done(answer) : `${a.label}: ${i.name}, done.`);
		} catch (error) {
			say(`${a.label}: ${error.message}`, true);
		}
		setBusy('');
		setSure(false);
	};

	return (
		<div class="buttons" role="group" aria-label={`What to do with ${i.name}`}>
			{actions(i).map((a) => (
				<button type="button" key={a.label} disabled={!a.can || busy !== ''} onClick={() => run(a)}>{a.label}</button>
			))}
			{sure ? (
				<span>
					<button type="button" class="danger" disabled={busy !== ''} onClick={() => run({label: 'Remove', run: () => remove(instance(i.id, '?force=1'))})}>Remove {i.name} and its files</button>
					<button type="button" onClick={() => setSure(false)}>Keep it</button>
				</span>
			) : (
				<button type="button" disabled={busy !== ''} onClick={() => setSure(true)}>Remove…</button>
			)}
		</div>
	);
}

const TABS = ['Log', 'Terminal', 'Details'];

function Tabs({tab, setTab}) {
	// Arrow keys go from tab to tab, as in the pattern that screen readers announce.
	const key = (event) => {
		const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];

		if (!step)
			return;
		const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length];

		setTab(next);
		document.getElementById(`tab-${next}`).focus();
		event.preventDefault();
	};

	return (
		<div role="tablist" class="tabs" aria-label="About this instance" onKeyDown={key}>
			{TABS.map((t) => (
				<button type="button" role="tab" id={`tab-${t}`} aria-selected={t === tab} aria-controls="panel" tabIndex={t === tab ? 0 : -1} onClick={() => setTab(t)}>{t}</button>
			))}
		</div>
	);
}

export function Detail({i, curve, say}) {
	const [tab, setTab] = useState('Log');
	const [inspect, setInspect] = useState(null);

	useEffect(() => {
		let gone = false;

		setInspect(null);
		get(instance(i.id, '/json')).then((d) => !gone && setInspect(d), (error) => !gone && say(error.message, true));
		return () => {
			gone = true;
		};
	}, [i.id, i.status]);

	return (
		<section class="detail" aria-labelledby="detail-name">
			<h2 id="detail-name" tabIndex={-1}>{i.name} <span class={`wall ${i.isolation}`}>{walls[i.isolation]}</span></h2>
			<p class="soft">{i.image}. {i.says}.</p>
			<Buttons i={i} say={say} />
			{curve.last && <Charts points={curve.points} last={curve.last} />}
			<Tabs tab={tab} setTab={setTab} />
			<div role="tabpanel" id="panel" aria-labelledby={`tab-${tab}`}>
				{tab === 'Log' && inspect && <Logs id={i.id} tty={inspect.Config.Tty} runs={i.status === 'running'} />}
				{tab === 'Terminal' && (i.status === 'running' ? <Terminal id={i.id} name={i.name} /> : <p>It does not run: there is nothing to open a shell in.</p>)}
				{tab === 'Details' && inspect && <Facts inspect={inspect} />}
			</div>
		</section>
	);
}
