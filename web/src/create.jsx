// SPDX-License-Identifier: Apache-2.0
// A new instance: the few choices that most have.
import {useState} from 'preact/hooks';
import {instance, post} from './api.js';

// As a shell would split it, for words in simple or double quotes.
export function words(text) {
	return [...text.matchAll(/"((?:\\.|[^"\\])*)"|'([^']*)'|(\S+)/g)].map((m) => (m[1] !== undefined ? m[1].replace(/\\(.)/g, '$1') : (m[2] ?? m[3])));
}

export function Create({images, say}) {
	const [busy, setBusy] = useState(false);
	const submit = async (event) => {
		const form = event.target;
		const f = Object.fromEntries(new FormData(form));
		const command = words(f.command);

		event.preventDefault();
		setBusy(true);
		say(`Creating an instance of ${f.image} …`);
		try {
			const {Id} = await post(`api/containers/create${f.name ? `?name=${encodeURIComponent(f.name)}` : ''}`, {
				Image: f.image,
				Cmd: command.length ? command : undefined,
				HostConfig: {Isolation: f.wall},
			});

			await post(instance(Id, '/start'));
			say(`${f.name || Id.slice(0, 12)} runs.`);
			form.reset();
		} catch (error) {
			say(error.message, true);
		}
		setBusy(false);
	};

	return (
		<details class="create">
			<summary>New instance</summary>
			<form onSubmit={submit}>
				<label>Image <input name="image" list="image-names" required autocomplete="off" /></label>
				<datalist id="image-names">{images.flatMap((i) => i.RepoTags || []).map((t) => <option value={t} />)}</datalist>
				<label>Name <input name="name" autocomplete="off" placeholder="one is made up" /></label>
				<label>Command <input name="command" autocomplete="off" placeholder="the image's own" /></label>
				<fieldset>
					<legend>Wall</legend>
					<label><input type="radio" name="wall" value="container" checked /> container</label>
					<label><input type="radio" name="wall" value="vm" /> VM</label>
				</fieldset>
				<button type="submit" disabled={busy}>Create and start</button>
			</form>
		</details>
	);
}
