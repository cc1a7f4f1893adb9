import type { PanelOptionsEditorBuilder } from '@grafana/data';

/** What a user may choose for a panel. */
export interface MapOptions {
  /** Machine to show, by number; variables are replaced. Empty = the first that the query gives. */
  readonly machine: string;
  /** First and last level shown. */
  readonly top: number;
  readonly bottom: number;
  /** Colours: those that fit Grafana's theme, or always the same. */
  readonly palette: 'theme' | 'light' | 'dark';
  readonly legend: boolean;
  /** Pending frees over time, below the map. */
  readonly strip: boolean;
}

const LEVELS = [0, 1, 2, 3].map((value) => ({ value, label: String(value) }));

/** The options as Grafana's editor offers them. */
export function offerOptions(builder: PanelOptionsEditorBuilder<MapOptions>): void {
  builder
    .addTextInput({
      path: 'machine',
      name: 'Machine',
      description: 'Number of the machine, or a variable such as $machine. Empty: the first machine of the query.',
      defaultValue: '',
      settings: { placeholder: 'first of the query' },
    })
    .addSelect({ path: 'top', name: 'First level', defaultValue: 0, settings: { options: LEVELS } })
    .addSelect({ path: 'bottom', name: 'Last level', defaultValue: 3, settings: { options: LEVELS } })
    .addRadio({
      path: 'palette',
      name: 'Colours',
      description: 'All of them can be told apart with any common colour vision deficiency.',
      defaultValue: 'theme',
      settings: {
        options: [
          { value: 'theme', label: 'As the theme' },
          { value: 'light', label: 'Light' },
          { value: 'dark', label: 'Dark' },
        ],
      },
    })
    .addBooleanSwitch({ path: 'legend', name: 'Legend', defaultValue: true })
    .addBooleanSwitch({ path: 'strip', name: 'Pending frees over time', defaultValue: true });
}
