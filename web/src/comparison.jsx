// SPDX-License-Identifier: Apache-2.0
// The last comparison that was made on this machine, as its own page in a frame.
import {useEffect, useState} from 'preact/hooks';
import {exists} from './api.js';

export function Comparison() {
	const [is, setIs] = useState(null);

	useEffect(() => {
		exists('report').then(setIs, () => setIs(false));
	}, []);
	if (is === null)
		return <p role="status">Looking …</p>;
	return is ? (
		<iframe class="report" src="report" title="The last comparison" sandbox="allow-scripts" />
	) : (
		<p>Nothing was compared on this machine yet: <code>caisson compare IMAGE</code> measures what each wall costs and stops.</p>
	);
}
