/** Id of the data source plugin, as in plugin.json. */
export const DATA_SOURCE_ID = 's2lab-stage2-datasource';
