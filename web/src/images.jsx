// SPDX-License-Identifier: Apache-2.0
// Images, and which of their steps took the space.
import {useEffect, useState} from 'preact/hooks';
import {get} from './api.js';
import {bytes, short, when} from './words.js';

function Layers({id}) {
	const [steps, setSteps] = useState([]);

	useEffect(() => {
		let gone = false;

		get(`api/images/${id}/history`).then((s) => !gone && setSteps(s), () => {});
		return () => {
			gone = true;
		};
	}, [id]);
	const most = Math.max(1, ...steps.map((s) => s.Size));

	return (
		<table class="layers">
			<caption>Steps of {short(id)}, newest first</caption>
			<thead><tr><th scope="col">Made by</th><th scope="col">Size</th></tr></thead>
			<tbody>
				{steps.map((s) => (
					<tr>
						<td class="made">{s.CreatedBy || s.Comment || '(not said)'}</td>
						<td class="size">
							<svg aria-hidden="true" viewBox="0 0 100 8" preserveAspectRatio="none"><rect width={(s.Size / most) * 100} height="8" /></svg>
							<span>{bytes(s.Size)}</span>
						</td>
					</tr>
				))}
			</tbody>
		</table>
	);
}

export function Images({images}) {
	const [open, setOpen] = useState('');

	if (!images.length)
		return <p>There are no images yet: <code>caisson pull IMAGE</code>.</p>;
	return (
		<div class="scroll">
			<table class="images">
				<caption class="away">Images</caption>
				<thead><tr><th scope="col">Name</th><th scope="col">Id</th><th scope="col">Created</th><th scope="col">Size</th></tr></thead>
				<tbody>
					{images.map((i) => [
						<tr key={i.Id}>
							<th scope="row">
								<button type="button" class="plain" aria-expanded={open === i.Id} onClick={() => setOpen(open === i.Id ? '' : i.Id)}>{(i.RepoTags || []).join(', ') || '(no name)'}</button>
							</th>
							<td><code>{short(i.Id)}</code></td>
							<td>{i.Created > 0 ? when(i.Created) : 'not said'}</td>
							<td>{bytes(i.Size)}</td>
						</tr>,
						open === i.Id && <tr key={`${i.Id}-layers`}><td colSpan={4}><Layers id={i.Id} /></td></tr>,
					])}
				</tbody>
			</table>
		</div>
	);
}
