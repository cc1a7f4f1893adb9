/** Id of the panel plugin, as in plugin.json. */
export const PANEL_ID = 's2lab-stage2-panel';
