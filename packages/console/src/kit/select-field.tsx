import { Button, Label, ListBox, ListBoxItem, Popover, Select, SelectValue } from 'react-aria-components';
import { Icon, type IconName } from './icon.tsx';

interface Props {
  label: string;
  icon: IconName;
  value: string | null;
  options: readonly { readonly id: string; readonly name: string }[];
  onChange: (id: string) => void;
}

/** One of a list that is known only at run time, such as the devices of this machine. */
export function SelectField({ label, icon, value, options, onChange }: Props) {
  return (
    <Select className="field" value={value} onChange={(key) => key !== null && onChange(String(key))}>
      <Label className="field-label">{label}</Label>
      <Button className="input select">
        <Icon name={icon} size={18} />
        <SelectValue className="select-value" />
        <Icon name="chevron" size={16} />
      </Button>
      <Popover className="popover">
        <ListBox className="list-box" items={options}>
          {(option) => (
            <ListBoxItem id={option.id} textValue={option.name} className="list-item">
              <span className="list-tick">
                <Icon name="check" size={16} />
              </span>
              {option.name}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </Select>
  );
}
