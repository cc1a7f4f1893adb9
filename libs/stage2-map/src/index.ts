export { addressTicks, sizeText } from './address-ticks.ts';
export { captureStage2, type MapQuery, type MapSource } from './capture.ts';
export { drawStage2Map, type MapCanvas, type MapLook } from './draw-map.ts';
export { LevelRuns } from './level-runs.ts';
export { hitTest, type HitSlot, type MapHit, slotAt } from './map-hit.ts';
export { fitView, ipaAt, type MapBand, mapBands, type MapView, panView, selectView, xOf, zoomView } from './map-view.ts';
export { css, DARK_PALETTE, type LegendEntry, LIGHT_PALETTE, mapLegend, type MapPalette, type Rgb } from './palette.ts';
export { type LevelJson, STATE_JSON_VERSION, stateFromJson, stateToJson, type Stage2StateJson } from './state-json.ts';
export { type MapOrigin, type MapShape, type MemslotMark, shapeOf, SLOT, SLOT_NAMES, type Stage2State, type WalkerMark } from './state.ts';
