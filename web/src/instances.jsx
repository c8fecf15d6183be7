// SPDX-License-Identifier: Apache-2.0
// Everything that was created, side by side, whichever wall it has.
import {Curve} from './curve.jsx';
import {bytes, percent, walls} from './words.js';

function Usage({points, last}) {
	const p = points[points.length - 1];

	if (!last)
		return [<td class="usage soft" colSpan={2}>–</td>];
	return [
		<td class="usage">
			<Curve small points={points} lines={[{key: 'cpu'}]} least={5} />
			<span>{p ? percent(p.cpu) : '–'}</span>
		</td>,
		<td class="usage">
			<Curve small points={points} lines={[{key: 'memory'}]} least={1 << 20} />
			<span>{bytes(last.memory)}</span>
		</td>,
	];
}

export function Instances({list, curves, selected}) {
	if (!list.length)
		return <p>Nothing was created yet: <code>caisson run -d --name web IMAGE</code>, or the form below.</p>;
	return (
		<div class="scroll">
			<table class="instances">
				<caption class="away">Instances</caption>
				<thead>
					<tr><th scope="col">Name</th><th scope="col">Wall</th><th scope="col">Image</th><th scope="col">State</th><th scope="col">CPU</th><th scope="col">Memory</th></tr>
				</thead>
				<tbody>
					{list.map((i) => {
						const c = curves.get(i.id) || {points: [], last: null};

						return (
							<tr key={i.id} class={i.name === selected ? 'selected' : ''}>
								<th scope="row"><a href={`#/instances/${encodeURIComponent(i.name)}`} aria-current={i.name === selected ? 'true' : undefined}>{i.name}</a></th>
								<td><span class={`wall ${i.isolation}`}>{walls[i.isolation]}</span></td>
								<td class="image">{i.image}</td>
								<td><span class={`state ${i.status}`}>{i.says}</span></td>
								<Usage points={c.points} last={c.last} />
							</tr>
						);
					})}
				</tbody>
			</table>
		</div>
	);
}
